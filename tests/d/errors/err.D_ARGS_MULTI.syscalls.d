/*
 * The probes differ in their arguments' types.
 * @args: -x errtags -e
 * @exit: 1
 */
syscall:::entry
{
	trace(args[0]);
}
