/*
 * There is no signal 100.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	raise(100);
}
