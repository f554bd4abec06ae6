/*
 * A predicate on every call, looked at before it is known which call it is.
 * @needs: root
 */
#pragma D option quiet

BEGIN
{
	exit(0);
}

syscall:::return
/arg0 == 12345678 && pid != $pid/
{
	trace(arg0);
}
