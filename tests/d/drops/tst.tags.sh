# -x droptags shows the tag of each kind.
# @needs: root syscall getppid
dtrace -q -x droptags -x dynvarsize=16k -c 'sh -c "exec getppid 20000 >/dev/null"' -n '
	uint64_t n;
	syscall::getppid:entry /pid == $target && execname == "getppid"/ { a[n++] = 1; }' 2> err || exit 1
sed 's/[0-9][0-9]*/N/' err | sort -u
