/*
 * Structs do not compare.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(*curthread == *curthread);
}
