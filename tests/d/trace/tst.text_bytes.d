/*
 * Bytes that are a text print as a string does.
 * @needs: root syscall
 * @args: -c 'sh -c "echo ABCDEFGHIJKLMNO >/dev/null"'
 */
struct text {
	char c[15];
};

syscall::write:entry
/pid == $target && arg2 == 16/
{
	trace(*(struct text *)copyin(arg1, 16));
}
