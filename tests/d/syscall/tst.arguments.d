/*
 * A call's arguments at entry, its value at return, errno 0.
 * @needs: root syscall seeker
 * @args: -q -c 'seeker 1'
 */
syscall::lseek:entry
/pid == $target && arg1 == 0xc0000001/
{
	printf("%d %x %d %d\n", arg0 > 2, arg1, arg2, arg3 == arg3);
	self->in = 1;
}

syscall::lseek:return
/self->in/
{
	printf("%x %x %d %s\n", arg0, arg1, errno, probefunc);
	printf("%x\n", (uint32_t)arg0);
}
