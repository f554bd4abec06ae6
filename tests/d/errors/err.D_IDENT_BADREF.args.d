/*
 * args without an index.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(args);
}
