/*
 * ERROR: arg1 is the enabled probe, arg2 the action, arg4 the fault, arg5 the address; id is ERROR's own.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	failing = epid;
	x = 1;
	trace(*(int64_t *)0x20);
}

BEGIN
{
	exit(0);
}

ERROR
{
	printf("%s %d %d %d %x %d\n", probename, arg1 == failing, arg2, arg4, arg5, id);
}
