/*
 * A pointer needs ->, not a dot: that is what help says.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(curthread.pid);
}
