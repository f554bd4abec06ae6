/*
 * The format is no constant.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf(execname);
}
