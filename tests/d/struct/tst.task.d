/*
 * The current task's fields, through BTF, are what the built-in variables say.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	this->t = (struct task_struct *)curthread;
	printf("%d %d\n", this->t->tgid == pid, this->t->pid == tid);
	printf("%d %d\n", this->t->real_parent->tgid == ppid, this->t->group_leader->pid == pid);
	printf("%d %d\n", this->t->cred->uid.val == uid, this->t->cred->gid.val == gid);
	printf("%d %d\n", ((struct task_struct *)curthread)->mm == curthread->mm, curthread->mm != 0);
	printf("%d\n", (*this->t).tgid == this->t->tgid);
	exit(0);
}
