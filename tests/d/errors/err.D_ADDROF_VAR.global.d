/*
 * A D variable has no address.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = 1;
	trace(&x);
}
