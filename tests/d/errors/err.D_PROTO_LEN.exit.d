/*
 * exit() wants its status.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	exit();
}
