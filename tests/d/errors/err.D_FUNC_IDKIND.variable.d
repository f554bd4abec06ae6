/*
 * A variable cannot be called.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = 1;
	trace(x());
}
