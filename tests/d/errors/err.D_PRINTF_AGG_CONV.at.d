/*
 * %@ is printa's.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("%@d\n", 1);
}
