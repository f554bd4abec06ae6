/*
 * A number under %s.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	printf("%d %s\n", 1, pid);
}
