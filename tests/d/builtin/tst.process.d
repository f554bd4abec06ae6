/*
 * pid, tid, ppid, uid, gid, execname of the process of -c.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	printf("%d %d %d %d %d %s\n", pid == $target, tid == pid, ppid == $pid, uid, gid, execname);
	printf("%d\n", curthread->tgid == pid);
}
