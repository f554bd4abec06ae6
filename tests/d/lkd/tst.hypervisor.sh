# lkd(4) and lkd(5) hold the memory and the CPUs of the virtual machines that run: by what `vmrun` told, from the file alone. Without a
# machine they are as lkd(0) and lkd(1), and say so; without KVM too.
# @where: guest
# @needs: root syscall /dev/kvm
# @timeout: 1500
. "$DIR/common.sh"
run() {
	vmrun 1500 > planted 2> vmrun.err &
	vm=$!
	until_so holds '^ready' planted || { cat vmrun.err; exit 1; }
}
run
# a zombie has no program
alive() { [ -e /proc/$vm/exe ]; }
# A dump of this kind, of which the message says that it is of one instant.
take() {
	for attempt in 1 2 3 4 5; do
		rm -rf reports
		mkdir -m 700 reports
		dtrace -w -x lkdpath="$T/reports" -x lkdmaxpause=5s -x lkdbuf=256m -n "syscall::close:return { lkd($1); exit(0); }" > out 2> err || { cat err >&2; exit 1; }
		dump=$(echo reports/DTRACE-*/vmcore)
		grep -q '^dtrace: live dump .*, consistent$' err && break
		grep '^dtrace: live dump' err >&2
	done
	grep -q '^dtrace: live dump .*, consistent$' err || { cat err >&2; exit 1; }
	grep -o 'live dump [^ ]* ([a-z]*)' err
	grep 'virtual machine' err
}
for kind in 4 5; do
	# QEMU's emulation of a processor that runs guests loses interrupts: a machine that has ended is none to be found
	for try in 1 2 3; do
		alive || run
		take $kind > taken
		alive && break
		echo "the virtual machine ended: $(cat vmrun.err)" >&2
	done
	cat taken
	lkd selftest guests "$dump" --planted planted > judged || { cat err judged vmrun.err; cat /proc/$vm/status; exit 1; }
	grep '^ok ' judged | sed 's/process .*/process N/'
	name=$([ $kind = 4 ] && echo hypervisor || echo all)
	leave "$dump" $name.kdump
	[ -d /out ] && cp planted /out/readers/$name.guests
done
kill $vm
wait $vm 2> /dev/null
take 4
lkd selftest guests "$dump"
rmmod kvm_amd && rmmod kvm || exit 1
dtrace -w -x lkdpath="$T/reports" -n 'BEGIN { exit(0); } syscall::close:return { lkd(5); }' 2>&1 | grep 'virtual machine'
for module in kvm kvm_amd; do insmod /lkd/module/$module.ko || exit 1; done
