/*
 * A stack of no frames.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	stack(0);
}
