/*
 * A pointer is traced as the 64-bit number that it is.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	trace((char *)0x1234);
	exit(0);
}
