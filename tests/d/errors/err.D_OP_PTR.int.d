/*
 * -> of a number.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(pid->x);
}
