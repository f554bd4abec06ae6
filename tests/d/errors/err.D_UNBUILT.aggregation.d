/*
 * Aggregations are understood and not built: the message says so, and what to do.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	@a = count();
}
