/*
 * Actions do not go with ?:; if does it.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	pid ? trace(1) : trace(2);
}
