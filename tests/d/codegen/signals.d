/*
 * Actions that change the system, and if with else.
 * @needs: root
 */
#pragma D option quiet
#pragma D option destructive

BEGIN
{
	exit(0);
}

syscall::lseek:entry
/pid == 1/
{
	if (arg0 > 100) {
		raise(arg0 - 90);
	} else if (arg0 == 99) {
		stop();
	} else {
		trace(arg0);
	}
}
