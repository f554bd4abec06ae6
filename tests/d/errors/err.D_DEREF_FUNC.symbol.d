/*
 * * of a function's address.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(*&`schedule);
}
