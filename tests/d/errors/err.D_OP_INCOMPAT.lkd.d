/*
 * lkd() is an action, it has no value to add.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = 1 + lkd(0);
}
