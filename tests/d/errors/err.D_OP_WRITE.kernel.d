/*
 * The kernel's memory cannot be changed.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	curthread->pid = 1;
}
