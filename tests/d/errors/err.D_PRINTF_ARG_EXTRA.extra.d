/*
 * An argument without a conversion.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("%d\n", 1, 2);
}
