/*
 * An integer is no string.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(strlen(5));
}
