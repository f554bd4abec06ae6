#!/bin/sh
# Freezes the guest N times (default 2000), each time copying its kernel, and tells what that has left: complaints in the kernel's
# log, BPF programs, maps and links.
#
#   cargo xtask guest --kernel 6.12 --smp 4 --timeout 5400 --share tests/soak --bin bpftool -- sh /share/freezes.sh
#
# With a second word, a number of seconds, under a storm of that length.
[ -z "$2" ] || {
	storm "$2" /tmp/planted >/tmp/storm.log 2>&1 &
	for try in $(seq 1 600); do [ -s /tmp/planted ] && break; sleep 0.2; done
	[ -s /tmp/planted ] || { cat /tmp/storm.log; exit 1; }
}
count() {
	for what in prog map link; do
		echo "$what $(bpftool "$what" show | grep -c '^[0-9]*:')"
	done
}
count >/tmp/before
lkd selftest freeze "${1:-2000}" --work copy --buffer 300 --max-pause 5000 || status=1
# programs and maps go when RCU has waited for their readers
for try in $(seq 1 100); do
	count >/tmp/after
	cmp -s /tmp/before /tmp/after && break
	sleep 0.1
done
echo "before: $(tr '\n' ' ' </tmp/before)"
echo "after: $(tr '\n' ' ' </tmp/after)"
cmp -s /tmp/before /tmp/after || status=1
dmesg | grep -E 'BUG:|WARNING:|Oops|stall|soft lockup|hung_task|blocked for more' && status=1
exit ${status:-0}
