/*
 * An aggregation cannot be traced.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(@a);
}
