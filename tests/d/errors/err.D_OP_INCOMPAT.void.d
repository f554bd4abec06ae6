/*
 * void has no size to count in.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace((void *)0 + 1);
}
