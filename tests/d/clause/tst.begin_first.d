/*
 * BEGIN runs before any other probe fires, END after the last.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 3 >/dev/null"'
 */
int begun, n;

syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	printf("%s ", begun ? "call" : "early");
	n++;
}

BEGIN { begun = 1; printf("begin "); }
END { printf("end %d\n", n); }
