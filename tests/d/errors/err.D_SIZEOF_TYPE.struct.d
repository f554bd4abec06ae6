/*
 * A struct that nobody defined has no size.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(sizeof (struct no_such_struct));
}
