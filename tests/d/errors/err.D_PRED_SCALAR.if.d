/*
 * A string is no condition.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	if (probename) { trace(1); }
}
