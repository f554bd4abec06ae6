/*
 * stack(n) prints at most n frames; the tracer's own are not among them.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	stack(2);
	printf("end");
}
