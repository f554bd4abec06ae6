# made = delivered + dropped, and what was dropped is told by CPU: a small buffer is flooded.
# @needs: root syscall getppid
# @timeout: 60
dtrace -v -b 4k -c 'sh -c "getppid 100000 >/dev/null & getppid 100000 >/dev/null; wait"' \
	-n 'syscall::getppid:entry /execname == "getppid" && (ppid == $target || pid == $target)/ { printf("%s %s %d", execname, probefunc, n++); }' > out 2> err || exit 1
got=$(grep -c 'getppid:entry' out)
told=$(sed -n 's/^dtrace: \([0-9][0-9]*\) drops* on CPU [0-9][0-9]*$/\1/p' err | awk '{ n += $1 } END { print n + 0 }')
set -- $(sed -n 's/^dtrace: \([0-9]*\) records made, \([0-9]*\) delivered, \([0-9]*\) dropped$/\1 \2 \3/p' err)
# Since 6.13 a thread may be preempted inside the program of a system call's probe, and another one's firing be skipped for it.
skipped=$(sed -n 's/^dtrace: \([0-9][0-9]*\) drops* of firings inside another firing$/\1/p' err | awk '{ n += $1 } END { print n + 0 }')
[ "$1" -le 200000 ] && [ $(($1 + skipped)) -ge 200000 ] || echo "made $1 and skipped $skipped, not 200000"
[ "$1" = $(($2 + $3)) ] || echo "made $1, delivered $2, dropped $3"
[ "$2" = "$got" ] || echo "delivered $2, printed $got"
[ "$3" = "$told" ] || echo "dropped $3, told $told"
