/*
 * A constant has no address.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(&5);
}
