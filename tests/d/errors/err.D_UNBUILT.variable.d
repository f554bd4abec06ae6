/*
 * A variable that is not built.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(ucaller);
}
