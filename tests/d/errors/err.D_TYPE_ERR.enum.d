/*
 * An enum that nobody defined.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(sizeof (enum no_such_enum));
}
