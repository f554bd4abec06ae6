/*
 * A name that nothing defines.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(nowhere);
}
