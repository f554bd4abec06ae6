/*
 * The remainder of a division by zero.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(pid % (1 - 1));
}
