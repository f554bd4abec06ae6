/*
 * Strings: literals, copies, comparisons, joins, lengths.
 * @needs: root
 */
#pragma D option quiet
#pragma D option strsize=64

string last;

BEGIN
{
	last = "begin";
	this->s = strjoin(last, "-end");
	printf("%s %d %s\n", this->s, strlen(this->s), this->s < last ? "less" : "not less");
	exit(0);
}

syscall::openat:entry
/copyinstr(arg1) == "/etc/passwd"/
{
	last = copyinstr(arg1);
	self->name = last;
}

syscall::openat:return
/self->name != ""/
{
	trace(self->name);
	self->name = 0;
}
