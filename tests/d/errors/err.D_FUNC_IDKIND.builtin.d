/*
 * A built-in variable cannot be called.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(pid());
}
