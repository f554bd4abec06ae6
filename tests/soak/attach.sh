#!/bin/sh
# Attaches to every system call's tracepoints and detaches again, N times (default 100), while the guest is busy on all CPUs.
# Tells every 20 rounds how far it is: round, seconds of uptime. A guest that says no more has hung.
#
#   cargo xtask guest --kernel 6.1 --share tests/soak -- /share/attach.sh               # must end
#   cargo xtask guest --kernel 6.1 --tcg multi --share tests/soak -- /share/attach.sh   # hangs with QEMU 7.2 (HACKING.md)
load 100000 >/tmp/load.log &
load=$!
getppid 2000000000 >/tmp/getppid.log &
getppid=$!
round=0
while [ "$round" -lt "${1:-100}" ]; do
	if ! dtrace -q -n 'syscall:::entry {} syscall:::return {} tick-50ms { exit(0); }' 2>/tmp/dtrace.log; then
		cat /tmp/dtrace.log >&2
		exit 1
	fi
	round=$((round + 1))
	[ $((round % 20)) = 0 ] && echo "$round $(cut -d' ' -f1 /proc/uptime)"
done
kill $load $getppid
