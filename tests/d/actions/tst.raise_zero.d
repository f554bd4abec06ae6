/*
 * A computed signal number; 0 sends none.
 * @needs: root syscall getppid
 * @args: -q -w -c 'sh -c "exec getppid 3 >/dev/null"'
 */
int signal, n;

syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	n++;
	raise(signal);
}

END
{
	printf("%d\n", n);
}
