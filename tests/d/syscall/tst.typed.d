/*
 * args[] of a system call have its arguments' types.
 * @needs: root syscall seeker
 * @args: -q -c 'seeker 1'
 */
syscall::lseek:entry
/pid == $target && args[1] == 0xc0000001/
{
	printf("%x %d\n", args[1], args[2]);
}
