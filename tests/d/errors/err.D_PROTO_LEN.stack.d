/*
 * stack() takes one number.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	stack(1, 2);
}
