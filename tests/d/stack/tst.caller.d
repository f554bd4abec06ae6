/*
 * caller is where the probed function was called from, stackdepth the number of frames that stack() would print.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	printf("%a %d\n", caller, stackdepth > 1 && stackdepth < 20);
}
