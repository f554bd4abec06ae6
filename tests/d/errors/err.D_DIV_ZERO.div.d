/*
 * Division by a constant zero.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(5 / 0);
}
