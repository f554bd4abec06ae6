/*
 * A string and a number do not compare.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(execname == 1);
}
