/*
 * lseek has three arguments.
 * @args: -x errtags -e
 * @exit: 1
 */
syscall::lseek:entry
{
	trace(args[3]);
}
