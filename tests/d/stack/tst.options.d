/*
 * -x stackframes and stackindent.
 * @needs: root syscall getppid
 * @args: -q -x stackframes=1 -x stackindent=3 -c 'sh -c "exec getppid 1 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	stack();
	printf("end");
}
