/*
 * Too few arguments.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(strlen());
}
