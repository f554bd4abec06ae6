/*
 * There is no such function.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	foo();
}
