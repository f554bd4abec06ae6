/*
 * A function that returns a pointer: typed at return.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
self int in;

fbt::do_filp_open:entry
/pid == $target && stringof(args[1]->name) > "/tmp/seeker" && stringof(args[1]->name) < "/tmp/seeker."/
{
	printf("%s\n", stringof(args[1]->name));
	self->in = 1;
}

fbt::do_filp_open:return
/self->in/
{
	printf("%d\n", args[1]->f_flags != 0);
	self->in = 0;
}
