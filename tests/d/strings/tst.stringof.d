/*
 * stringof makes strings of char arrays and of pointers into the kernel.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	t = (struct task_struct *)curthread;
	printf("%d %d %d\n", stringof(t->comm) == execname, stringof(&t->comm[0]) == execname,
	    stringof((char *)t->comm) == stringof(t->comm));
	printf("%s %d\n", stringof("text"), strlen(stringof(t->comm)) == strlen(execname));
	exit(0);
}
