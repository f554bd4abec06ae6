/*
 * A string variable stays one.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = "a";
	x = 5;
}
