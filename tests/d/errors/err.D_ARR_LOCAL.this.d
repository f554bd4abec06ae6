/*
 * A clause-local variable cannot be an array.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	this->a[1] = 2;
}
