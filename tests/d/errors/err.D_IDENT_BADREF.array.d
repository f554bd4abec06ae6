/*
 * An array without its keys.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	a[1] = 2;
	trace(a);
}
