/*
 * A * without its argument.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("%*d\n");
}
