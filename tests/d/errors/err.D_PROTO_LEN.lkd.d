/*
 * lkd() takes at most one argument.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	lkd(0, 1);
}
