/*
 * One program for several functions: the attach cookie is the probe's id.
 * @needs: root fbt
 */
#pragma D option quiet

BEGIN
{
	exit(0);
}

fbt::vfs_read:entry,
fbt::vfs_write:entry
{
	self->n = arg2;
	stack(5);
}

fbt::vfs_read:return
/self->n && arg1 < 0/
{
	printf("%s: %d of %d\n", probefunc, arg1, self->n);
}

fbt::vfs_read:return
{
	self->n = 0;
}
