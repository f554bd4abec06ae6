/*
 * A string under %d.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("%d\n", execname);
}
