/*
 * Nor is xlate.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace(xlate <struct task_struct> (curthread));
}
