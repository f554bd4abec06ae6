/*
 * self->array[key] belongs to the thread.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "getppid 1 >/dev/null; getppid 1 >/dev/null"'
 */
syscall::getppid:entry
/execname == "getppid" && (ppid == $target || pid == $target)/
{
	self->seen["calls", 1]++;
	all["calls", 1]++;
	printf("%d %d\n", self->seen["calls", 1], all["calls", 1]);
}
