/*
 * The status is a byte, as every process's.
 * @needs: root
 * @args: -q
 * @exit: 3
 */
BEGIN
{
	exit(259);
}
