/*
 * An array has as many keys as at its first use.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	a[1, 2] = 3;
	trace(a[1]);
}
