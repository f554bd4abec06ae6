/*
 * lkd() is an action, it has no value.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = lkd(0);
}
