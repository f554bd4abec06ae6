/*
 * exit() in a system call's probe ends tracing there; its record is the last.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1000000 >/dev/null"'
 * @exit: 6
 */
int n;

syscall::getppid:entry
/pid == $target && execname == "getppid" && ++n == 3/
{
	printf("third\n");
	exit(6);
}

syscall::getppid:entry
/pid == $target && n > 3/
{
	printf("late\n");
}
