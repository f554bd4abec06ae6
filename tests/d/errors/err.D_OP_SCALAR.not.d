/*
 * ! of a string.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(!execname);
}
