/*
 * Empty statements and a last statement without its semicolon.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	;
	x = 1;;
	printf("%d\n", x);
	exit(0)
}
