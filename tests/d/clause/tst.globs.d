/*
 * *, ? and [] in each part of a description.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1 >/dev/null"'
 */
sysc*::getpp?d:entry,
syscall::g[a-f]tppid:ret*
/pid == $target && execname == "getppid"/
{
	printf("%s:%s:%s\n", probeprov, probefunc, probename);
}
