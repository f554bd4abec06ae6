/*
 * A bit-field has no offset.
 * @args: -x errtags -e
 * @exit: 1
 */
struct b { int f : 3; };
BEGIN
{
	trace(offsetof(struct b, f));
}
