# At a modest rate nothing is dropped.
# @needs: root syscall getppid
dtrace -v -c 'sh -c "exec getppid 5000 >/dev/null"' \
	-n 'syscall::getppid:entry /pid == $target && execname == "getppid"/ { printf("%d", n++); }' > out 2> err || exit 1
grep -c 'getppid:entry' out
tail -n 1 err
