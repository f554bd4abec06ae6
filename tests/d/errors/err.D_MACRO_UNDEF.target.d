/*
 * $target without -c or -p.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace($target);
}
