/*
 * A string in a predicate.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 2 >/dev/null"'
 */
syscall::getppid:entry
/pid == $target && execname == "getppid" && probefunc == "getppid" && probename != "return"/
{
	printf("yes ");
}

syscall::getppid:entry
/execname != "getppid" && execname != "sh" && pid == $target/
{
	printf("never");
}
