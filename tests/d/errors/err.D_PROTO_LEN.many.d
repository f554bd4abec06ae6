/*
 * Too many arguments.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(strjoin("a", "b", "c"));
}
