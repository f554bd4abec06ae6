/*
 * A void value cannot be traced.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace((void)0);
}
