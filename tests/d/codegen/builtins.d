/*
 * Every built-in variable that is a number.
 * @needs: root
 */
#pragma D option quiet

BEGIN
{
	printf("%d %d %d %d %d %d\n", pid, tid, ppid, uid, gid, cpu);
	printf("%d %d %d %d %d %d\n", timestamp, vtimestamp, walltimestamp, id, epid, errno);
	printf("%p %d %s:%s:%s:%s\n", curthread, stackdepth, probeprov, probemod, probefunc, probename);
	exit(0);
}

syscall::close:return
{
	trace(errno);
	trace(execname);
}
