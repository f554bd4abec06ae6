/*
 * BEGIN has no typed arguments.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(args[0]);
}
