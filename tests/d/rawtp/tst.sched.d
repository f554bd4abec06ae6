/*
 * A raw tracepoint's arguments: the task that exits.
 * @needs: root rawtp
 * @args: -q -c 'sh -c "exit 0"'
 */
rawtp:::sched_process_exit
/pid == $target/
{
	printf("%s:%s:%s:%s ", probeprov, probemod, probefunc, probename);
	printf("%d\n", ((struct task_struct *)arg0)->tgid == $target);
}
