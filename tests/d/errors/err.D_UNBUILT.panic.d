/*
 * panic() is refused.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	panic();
}
