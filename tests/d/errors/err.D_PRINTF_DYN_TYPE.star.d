/*
 * A string as a width.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("%*d\n", execname, 1);
}
