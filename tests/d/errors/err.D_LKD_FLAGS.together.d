/*
 * A minidump has no user pages: 2 and 1 do not go together.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	lkd(1 | 2);
}
