/*
 * Actions do not go with a comma.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(1), trace(2);
}
