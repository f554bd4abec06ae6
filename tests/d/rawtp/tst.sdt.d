/*
 * sdt: the kernel's tracepoints by system and name.
 * @where: guest
 * @needs: root sdt
 * @args: -q -c 'sh -c "exit 0"'
 */
sdt:sched::sched_process_exit
/pid == $target/
{
	printf("%s %s %s\n", probeprov, probemod, probename);
}
