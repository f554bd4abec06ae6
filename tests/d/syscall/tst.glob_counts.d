/*
 * One program serves all probes, each clause sees only those that it names.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 100 >/dev/null"'
 */
uint64_t a, b, c, d;

syscall::getp*:entry /pid == $target && execname == "getppid"/ { a++; }
syscall::getppid: /pid == $target && execname == "getppid"/ { b++; }
syscall::lseek: /pid == $target && execname == "getppid"/ { c++; }
syscall:::return /pid == $target && execname == "getppid" && probefunc == "getppid"/ { d++; }

END
{
	printf("%d %d %d %d\n", a, b, c, d);
}
