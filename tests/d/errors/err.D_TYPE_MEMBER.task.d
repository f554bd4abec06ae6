/*
 * The struct has no such member; the nearest one is named.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(curthread->tgidd);
}
