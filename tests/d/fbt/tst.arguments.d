/*
 * Arguments of a kernel function, typed and as numbers, and its value at return.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
self int in;

fbt:vmlinux:generic_file_llseek_size:entry
/pid == $target && args[1] == 0xc0000001/
{
	printf("%d %x %d %d\n", arg1 == args[1], arg1, args[2], sizeof (args[1]));
	printf("%d %x %d\n", args[0]->f_mode != 0, args[3], arg4);
	self->in = 1;
}

fbt:vmlinux:generic_file_llseek_size:return
/self->in/
{
	printf("%x %x\n", arg1, args[1]);
	self->in = 0;
}
