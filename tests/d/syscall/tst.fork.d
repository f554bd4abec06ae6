/*
 * A call that returns twice, and one that never does.
 * @needs: root syscall
 * @args: -q -c 'sh -c "cat /dev/null; exit 0"'
 */
syscall::exit_group:entry
/pid == $target/
{
	printf("exit %d\n", arg0);
}

syscall::exit_group:return
/pid == $target/
{
	printf("never\n");
}
