/*
 * There is no such conversion.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("%q\n", 1);
}
