/*
 * A number is no struct.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace((struct task_struct)5);
}
