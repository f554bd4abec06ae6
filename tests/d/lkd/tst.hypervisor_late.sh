# Where the freeze has no time left for the virtual machines, the writer looks for them, and loses none of their memory.
# @where: guest
# @needs: root syscall /dev/kvm
# @timeout: 900
. "$DIR/common.sh"
vmrun 900 > planted 2> vmrun.err &
vm=$!
until_so holds '^ready' planted || { cat vmrun.err; exit 1; }
mkdir -m 700 reports
dtrace -w -x lkdpath="$T/reports" -x lkdmaxpause=1ms -n 'syscall::close:return { lkd(4); exit(0); }' > out 2> err || { cat err; exit 1; }
kill $vm
wait $vm 2> /dev/null
grep -o 'live dump .*(hypervisor)' err
grep -o ' smeared: ' err
grep -o '[^ ]* virtual machine with .* in 2 slots' err
lkd selftest guests reports/DTRACE-*/vmcore --planted planted > judged || { cat err judged; exit 1; }
echo "$(grep -c '^ok ' judged) claims hold"
