/*
 * One clause for several descriptions runs at each.
 * @needs: root
 * @args: -q
 */
BEGIN, END
{
	printf("%s\n", probename);
}

BEGIN
{
	exit(0);
}
