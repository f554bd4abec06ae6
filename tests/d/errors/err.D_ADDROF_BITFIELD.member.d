/*
 * A bit-field has no address.
 * @args: -x errtags -e
 * @exit: 1
 */
struct b { int f : 3; };
BEGIN
{
	trace(&((struct b *)0)->f);
}
