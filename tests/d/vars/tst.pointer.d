/*
 * A variable may hold a typed pointer; its type stays known.
 * @needs: root
 * @args: -q
 */
struct task_struct *saved;

BEGIN
{
	saved = (struct task_struct *)curthread;
	self->task = saved;
	printf("%d %d %d\n", saved->tgid == pid, self->task->pid == tid, self->task == saved);
	exit(0);
}
