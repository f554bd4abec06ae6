/*
 * A subroutine that is not built.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(basename(execname));
}
