/*
 * An argument that was not given.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace($1);
}
