#!/bin/sh
# Takes N dumps (default 50), one a script, where a CPU switches threads with its run queue locked: nobody else may be stopped there, and
# the guest must live. It tells how each was called.
#
#   cargo xtask guest --kernel 6.12 --smp 4 --timeout 3600 --share tests/soak -- sh /share/switches.sh
load 100000 >/tmp/load.log 2>&1 &
mkdir -m 700 /tmp/reports
for n in $(seq 1 "${1:-50}"); do
	dtrace -w -x lkdpath=/tmp/reports -x lkdbuf=200m -n 'rawtp:::sched_switch { lkd(0); exit(0); }' >/tmp/out 2>/tmp/err || { cat /tmp/err; status=1; }
	sed -n 's/^dtrace: live dump .*: held 1 CPU .* smeared: //p' /tmp/err >>/tmp/told
	rm -rf /tmp/reports/*
done
sort /tmp/told | uniq -c
[ "$(wc -l </tmp/told)" = "${1:-50}" ] || status=1
dmesg | grep -E 'BUG:|WARNING:|Oops|stall|soft lockup|hung_task|blocked for more' && status=1
exit ${status:-0}
