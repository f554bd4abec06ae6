/*
 * stack() prints a line a frame, 14 columns in, as module`function+offset, and a blank line behind.
 * @needs: root syscall getppid
 * @args: -c 'sh -c "exec getppid 1 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	stack();
}
