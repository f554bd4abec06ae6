/*
 * A struct is no string.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(stringof(*curthread));
}
