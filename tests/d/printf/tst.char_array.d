/*
 * A char array of the kernel prints as a string up to its NUL.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	this->t = (struct task_struct *)curthread;
	printf("[%s] [%10s] [%.3s]\n", this->t->comm, this->t->comm, this->t->comm);
	exit(0);
}
