/*
 * A string is no number.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace((int)execname);
}
