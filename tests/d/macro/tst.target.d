/*
 * $target is the process of -c.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	printf("%s %d\n", execname, $target > 1);
}
