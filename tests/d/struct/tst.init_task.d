/*
 * A kernel symbol without a type is reached by its address and a cast.
 * @where: guest
 * @needs: root
 * @args: -q
 */
BEGIN
{
	this->init = (struct task_struct *)&`init_task;
	printf("%s %d %d\n", stringof(this->init->comm), this->init->pid, this->init->real_parent == this->init);
	printf("%d\n", (uint64_t)&`init_task == (uint64_t)&vmlinux`init_task);
	exit(0);
}
