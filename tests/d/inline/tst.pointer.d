/*
 * An inline of a struct pointer type.
 * @needs: root
 * @args: -q
 */
inline struct task_struct *me = (struct task_struct *)curthread;

BEGIN
{
	printf("%d %d\n", me->tgid == pid, stringof(me->comm) == execname);
	exit(0);
}
