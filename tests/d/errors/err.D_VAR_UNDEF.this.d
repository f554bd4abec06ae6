/*
 * A clause-local variable that nothing set.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(this->x);
}
