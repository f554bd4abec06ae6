/*
 * A char array of the kernel compares with a string, prints by %s and by its elements.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	this->t = (struct task_struct *)curthread;
	printf("%d %s %c%c %d\n", stringof(this->t->comm) == execname, this->t->comm, this->t->comm[0],
	    this->t->comm[1], sizeof (this->t->comm));
	exit(0);
}
