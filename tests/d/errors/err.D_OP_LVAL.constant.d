/*
 * A constant cannot be assigned to.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	1 = 2;
}
