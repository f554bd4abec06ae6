/*
 * A string is no status.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	exit("no");
}
