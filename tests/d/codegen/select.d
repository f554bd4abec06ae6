/*
 * Different clauses for different calls: one table, one bit per clause.
 * @needs: root
 */
#pragma D option quiet

BEGIN
{
	exit(0);
}

syscall::read:entry,
syscall::write:entry
{
	self->bytes = arg2;
}

syscall::read:entry
/arg0 == 3 && execname == "cat"/
{
	printf("%s %d\n", execname, arg2);
}

syscall::lseek:entry
{
	trace(probefunc);
}
