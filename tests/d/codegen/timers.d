/*
 * profile-97 on a clock's interrupt, tick-1s from user space, END.
 * @needs: root
 */
#pragma D option quiet

BEGIN
{
	exit(0);
}

profile-97
/arg0/
{
	trace(arg0);
	stack();
}

tick-1s
{
	ticks++;
}

END
{
	trace(ticks);
}
