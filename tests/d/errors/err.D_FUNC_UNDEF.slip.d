/*
 * A slip of the keyboard: the name that was meant is told.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	prinft("x");
}
