/*
 * void has no size.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(sizeof (void));
}
