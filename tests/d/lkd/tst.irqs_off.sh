# lkd() where interrupts are off and locks are held: no other CPU may be stopped there, the dump says so, the machine goes on.
# @where: guest
# @needs: root fbt rawtp makedumpfile
# @timeout: 600
. "$DIR/common.sh"
for probe in fbt::enqueue_task_fair:entry rawtp:::sched_switch; do
	mkdir -m 700 reports
	dtrace -w -x lkdpath=$T/reports -x lkdformat=kdump-zlib -n "$probe { lkd(0); exit(0); }" > out 2> err || { cat err; exit 1; }
	sed -n 's/^dtrace: live dump .* at \([^,]*\), .*: held 1 CPU .* smeared: \(interrupts were off at the probe\).*/\1: \2/p' err
	listing reports
	# its thread's registers and stack are exact all the same
	case $probe in fbt*) leave reports/DTRACE-*/vmcore irqs_off.kdump ;; esac
	rm -rf reports
done
