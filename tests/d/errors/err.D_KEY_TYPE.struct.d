/*
 * A struct is no key.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	a[*curthread] = 1;
}
