/*
 * Kinds of dumps other than the kernel's are not built yet, and nobody gets another kind than asked for.
 * @args: -x errtags -e
 * @exit: 1
 */
#pragma D option destructive

syscall::lseek:return
{
	lkd(2);
}
