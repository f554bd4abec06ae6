/*
 * * of a pointer to void.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(*(void *)curthread);
}
