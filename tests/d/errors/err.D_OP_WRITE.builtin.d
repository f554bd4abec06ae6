/*
 * A built-in variable cannot be changed.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	pid = 1;
}
