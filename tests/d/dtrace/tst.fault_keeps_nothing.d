/*
 * A fault takes back the whole record of its clause; what was assigned before stays.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	x = 5;
	printf("half ");
	trace(*(int *)0);
	x = 6;
}

BEGIN
{
	printf("%d\n", x);
	exit(0);
}
