/*
 * A bit-field of the kernel: its value is of its width.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	this->t = (struct task_struct *)curthread;
	printf("%d %d\n", this->t->in_execve, this->t->sched_reset_on_fork <= 1);
	exit(0);
}
