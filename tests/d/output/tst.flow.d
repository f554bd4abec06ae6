/*
 * -F: system calls as => and <=, everything else as |, under its own header.
 * @needs: root syscall getppid
 * @args: -F -c 'sh -c "exec getppid 2 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	trace("in");
}

syscall::getppid:return
/pid == $target && execname == "getppid"/
{
}

END
{
}
