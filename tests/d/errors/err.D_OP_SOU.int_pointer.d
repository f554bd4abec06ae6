/*
 * -> of a pointer to int.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(((int *)0)->x);
}
