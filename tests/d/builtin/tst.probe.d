/*
 * probeprov, probemod, probefunc, probename, id and epid.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1 >/dev/null"'
 */
BEGIN
{
	printf("<%s><%s><%s><%s> %d %d\n", probeprov, probemod, probefunc, probename, id, epid > 0);
}

syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	first = epid;
}

syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	printf("<%s><%s><%s><%s> %d %d\n", probeprov, probemod, probefunc, probename, id > 3, epid != first);
}
