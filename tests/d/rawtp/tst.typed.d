/*
 * args[] of a raw tracepoint are typed by BTF.
 * @needs: root rawtp
 * @args: -q -c 'sh -c "exit 0"'
 */
rawtp:::sched_process_exit
/pid == $target/
{
	printf("%d %d\n", args[0]->tgid == $target, args[0] == (struct task_struct *)curthread);
}
