# The same dump as an ELF core, which gdb opens too.
# @where: guest once
# @needs: root syscall /out
# @trigger: seeker
# @timeout: 300
rm -rf /var/lib/lkd/LiveKernelReports
# An emulated machine is slow: with half a second the rest would be read when the script has gone on, and be torn.
cd "$DIR/../../seed" || exit 1
dtrace -x lkdformat=elf -x lkdmaxpause=5s -x lkdbuf=256m -s livedumpstatuscheck.d || exit 1
# The writer is a process of its own: the report appears by one rename when it is whole.
for try in $(seq 1 1200); do
	dump=$(echo /var/lib/lkd/LiveKernelReports/DTRACE-*/vmcore)
	[ -e "$dump" ] && break
	sleep 0.1
done
[ "$(echo /var/lib/lkd/LiveKernelReports/*/vmcore | wc -w)" = 1 ] || exit 2
mkdir -p /out/readers
mv "$dump" /out/readers/seed.elf
