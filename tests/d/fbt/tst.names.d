/*
 * probeprov, probemod, probefunc and probename of an fbt probe, and its stack.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
fbt::vfs_llseek:entry
/pid == $target && arg1 == 0xc0000001/
{
	printf("%s:%s:%s:%s", probeprov, probemod, probefunc, probename);
	stack(2);
}
