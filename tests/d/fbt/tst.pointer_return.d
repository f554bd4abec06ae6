/*
 * A function that returns a pointer: typed at return.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
self int in;

syscall::openat:entry
/pid == $target && copyinstr(arg1) > "/tmp/seeker" && copyinstr(arg1) < "/tmp/seeker."/
{
	printf("%s\n", copyinstr(arg1));
	self->in = 1;
}

fbt::alloc_empty_file:return
/self->in/
{
	printf("%d\n", args[1]->f_flags != 0);
	self->in = 0;
}
