/*
 * Walking a kernel list by hand: container_of with offsetof.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	this->t = (struct task_struct *)curthread;
	this->next = this->t->tasks.next;
	this->prev = (struct list_head *)this->next->prev;
	printf("%d\n", this->prev == &this->t->tasks);
	this->back = (struct task_struct *)((char *)this->prev - offsetof(struct task_struct, tasks));
	printf("%d %d\n", this->back == this->t, this->back->tgid == pid);
	exit(0);
}
