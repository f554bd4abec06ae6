/*
 * += needs a variable that exists.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x += 1;
}
