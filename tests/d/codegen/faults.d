/*
 * What may fault: each way out leaves no half record, and ERROR runs.
 * @needs: root
 * @exit: 0
 */
#pragma D option quiet

BEGIN
{
	x = 0;
	y = 1;
	exit(0);
}

syscall::lseek:return
{
	trace(y / x);
	trace(stringof(arg1));
}

syscall::lseek:return
{
	trace(2);
}

ERROR
{
	printf("%d %d %x\n", arg2, arg4, arg5);
}
