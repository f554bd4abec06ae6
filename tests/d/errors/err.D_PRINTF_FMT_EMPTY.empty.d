/*
 * An empty format.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("");
}
