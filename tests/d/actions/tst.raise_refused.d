/*
 * A computed signal that the kernel does not know: the clause is given up, and says so.
 * @needs: root syscall getppid
 * @args: -q -w -c 'sh -c "exec getppid 1 >/dev/null"'
 */
int signal;

BEGIN
{
	signal = 100;
}

syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	raise(signal);
	printf("not reached\n");
}

ERROR
{
	printf("fault %d in action %d\n", arg4, arg2);
}
