/*
 * trace() takes one value.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(1, 2);
}
