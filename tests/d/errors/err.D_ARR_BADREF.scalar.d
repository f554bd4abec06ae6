/*
 * A number has no elements.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = 1;
	trace(x[1]);
}
