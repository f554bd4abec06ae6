/*
 * % of a pointer.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(curthread % 2);
}
