/*
 * A function that is not called.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(strlen);
}
