/*
 * timestamp never goes back, vtimestamp counts less than it, walltimestamp is nanoseconds since 1970.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 50 >/dev/null"'
 */
uint64_t back, n;

syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	self->t = timestamp;
	self->v = vtimestamp;
}

syscall::getppid:return
/self->t/
{
	n++;
	back += timestamp < self->t || vtimestamp < self->v;
	back += vtimestamp - self->v > timestamp - self->t + 100000000;
	self->t = 0;
}

END
{
	printf("%d %d %d %d\n", n, back, walltimestamp > 1700000000000000000, walltimestamp < 4000000000000000000);
}
