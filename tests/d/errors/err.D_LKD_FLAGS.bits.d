/*
 * lkd()'s flags are 0, 1, 2, 4 and 5.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	lkd(8);
}
