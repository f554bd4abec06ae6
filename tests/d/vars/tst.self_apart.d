/*
 * Each thread has its own copy: what another process sets is not seen here.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "getppid 2 >/dev/null; getppid 2 >/dev/null"'
 */
syscall::getppid:entry
/execname == "getppid" && (ppid == $target || pid == $target)/
{
	self->calls++;
}

syscall::getppid:return
/self->calls/
{
	printf("%d ", self->calls);
}
