/*
 * Tuple keys, per thread and not; zero takes an element away.
 * @needs: root
 */
#pragma D option quiet
#pragma D option strsize=32

BEGIN
{
	n["begin", 1] = 5;
	n["begin", 1]++;
	trace(n["begin", 1]);
	exit(0);
}

syscall:::entry
{
	self->ts[probefunc] = timestamp;
	calls[execname, pid]++;
}

syscall:::return
/self->ts[probefunc]/
{
	printf("%s %d\n", probefunc, timestamp - self->ts[probefunc]);
	self->ts[probefunc] = 0;
}
