# More array elements than there is room for: the assignments that fail are counted and told.
# @needs: root syscall getppid
dtrace -q -x dynvarsize=16k -c 'sh -c "exec getppid 20000 >/dev/null"' -n '
	uint64_t n;
	syscall::getppid:entry /pid == $target && execname == "getppid"/ { a[n++] = 1; }' 2> err || exit 1
sed 's/[0-9][0-9]*/N/' err | sort -u
