/*
 * An action is no expression.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = exit(0);
}
