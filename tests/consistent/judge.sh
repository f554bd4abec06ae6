#!/bin/sh
# Freezes the guest N times (default 200) under the storm, copies its kernel each time, and judges each consistent image in memory.
#
#   cargo xtask guest --kernel newest --smp 4 --timeout 3600 --share tests/consistent -- sh /share/judge.sh 100
ip link set lo up
storm 100000 /tmp/planted >/tmp/storm.log 2>&1 &
storm=$!
for try in $(seq 1 600); do [ -s /tmp/planted ] && break; sleep 0.1; done
[ -s /tmp/planted ] || { cat /tmp/storm.log >&2; exit 1; }
sleep 5
lkd selftest freeze "${1:-200}" --work copy --buffer 300 --max-pause 5000 --judge /tmp/planted || status=1
kill -0 $storm || { echo "the storm was over too early"; cat /tmp/storm.log; status=1; }
exit ${status:-0}
