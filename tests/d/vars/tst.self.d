/*
 * A thread-local variable goes from entry to return of the same thread; setting it to 0 takes it away.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 3 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	self->n++;
	self->where = "inside";
	self->begun = timestamp;
}

syscall::getppid:return
/self->begun/
{
	printf("%d %s %d\n", self->n, self->where, timestamp >= self->begun);
	self->begun = 0;
	self->where = 0;
}

syscall::getppid:return
/pid == $target && execname == "getppid"/
{
	printf("<%s> %d\n", self->where, self->begun);
}
