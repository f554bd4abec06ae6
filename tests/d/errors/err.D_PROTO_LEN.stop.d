/*
 * stop() takes none.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	stop(1);
}
