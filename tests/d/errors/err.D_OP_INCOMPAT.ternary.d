/*
 * ?: of a string and a number.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(pid ? execname : 1);
}
