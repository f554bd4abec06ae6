/*
 * A conversion without its argument.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("%d %d\n", 1);
}
