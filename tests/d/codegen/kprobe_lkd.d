/*
 * lkd() from a function: a kprobe, which can go over into the capture.
 * @needs: root fbt
 */
#pragma D option quiet
#pragma D option destructive

BEGIN
{
	exit(0);
}

fbt::vfs_fsync:entry
/pid == 1 && arg1 == 0xdead/
{
	lkd(arg2);
}
