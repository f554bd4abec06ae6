/*
 * A bit-field has no size.
 * @args: -x errtags -e
 * @exit: 1
 */
struct b { int f : 3; };
BEGIN
{
	trace(sizeof (((struct b *)0)->f));
}
