# Records of all CPUs come in the order of their timestamps. One whose CPU lost its time between the timestamp and the record comes a
# little later: a few may, not one in a hundred.
# @needs: root syscall getppid
dtrace -q -c 'sh -c "getppid 300 >/dev/null & getppid 300 >/dev/null; wait"' \
	-n 'syscall::getppid:entry /execname == "getppid" && (ppid == $target || pid == $target)/ { printf("%d\n", timestamp); }' |
	awk 'NF { n++; if (n > 1 && $1 - last < -50000) back++; last = $1 } END { print n, back * 100 < n ? "in order" : back }'
