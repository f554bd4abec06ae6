/*
 * int has no members.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(offsetof(int, x));
}
