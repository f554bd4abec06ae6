/*
 * errno behind a failing call, 0 behind one that succeeds; what the call returned is in arg0 and arg1.
 * @needs: root syscall
 * @args: -q -c 'sh -c "exec 2>/dev/null; cat /no/such/file; cat /dev/null"'
 */
syscall::open:entry,
syscall::openat:entry
{
	self->path = probefunc == "open" ? arg0 : arg1;
}

syscall::open:return,
syscall::openat:return
/self->path && copyinstr(self->path) == "/no/such/file"/
{
	printf("%d %d %d\n", arg0 == arg1, arg0, errno);
}

syscall::open:return,
syscall::openat:return
/self->path && copyinstr(self->path) == "/dev/null"/
{
	ok = (int)arg0 >= 0;
	printf("%d %d\n", ok, errno);
}
