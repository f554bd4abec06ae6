/*
 * probeprov, probemod, probefunc and probename of an fbt probe, and its stack: the function itself is its first frame.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
fbt::generic_file_llseek_size:entry
/pid == $target && arg1 == 0xc0000001/
{
	printf("%s:%s:%s:%s", probeprov, probemod, probefunc, probename);
	stack(2);
}
