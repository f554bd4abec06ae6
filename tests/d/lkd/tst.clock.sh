# Where threads may not be real-time ones CPUs are stopped by a clock's events too, and it is told.
# @where: guest once
# @needs: root setpriv
# @timeout: 300
/usr/bin/setpriv --bounding-set -sys_nice lkd selftest freeze 20 --max-pause 5000 > out 2>&1 || cat out
grep '^limited: ' out
awk '/^20 freezes of/ { print ($6 > 0 ? "consistent" : "never consistent") }' out
