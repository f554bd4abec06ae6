/*
 * Other bytes are a hex dump of sixteen a line, as -x rawbytes makes every one.
 * @needs: root syscall
 * @args: -q -x rawbytes -c 'sh -c "echo ABCDEFGHIJKLMNOPQRST >/dev/null"'
 */
struct text {
	char c[20];
};

syscall::write:entry
/pid == $target && arg2 == 21/
{
	trace(*(struct text *)copyin(arg1, 20));
}
