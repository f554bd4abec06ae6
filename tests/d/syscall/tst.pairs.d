/*
 * Every entry of one thread is followed by its return.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1000 >/dev/null"'
 */
uint64_t entries, returns, wrong;
self uint32_t in;

syscall:::entry
/pid == $target && execname == "getppid"/
{
	entries++;
	wrong += self->in != 0;
	self->in = id;
}

syscall:::return
/pid == $target && execname == "getppid" && self->in/
{
	returns++;
	wrong += self->in + 1 != id;
	self->in = 0;
}

END
{
	printf("%d %d %d\n", entries > 1000, entries - returns, wrong);
}
