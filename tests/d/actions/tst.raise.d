/*
 * raise() sends its signal to the probed process, before it goes on.
 * @needs: root syscall getppid
 * @args: -w -c 'sh -c "exec getppid 100000 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	raise(15);
	n++;
}

END
{
	printf("%d", n);
}
