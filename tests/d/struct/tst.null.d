/*
 * A null pointer's member is an error of that clause only: its address is told, ERROR runs, the rest goes on.
 * @needs: root
 * @args: -q
 */
struct pair {
	int first;
	int second;
};

BEGIN
{
	printf("%d\n", ((struct pair *)0)->second);
	printf("not reached\n");
}

BEGIN
{
	printf("next clause\n");
	exit(0);
}

ERROR
{
	printf("fault %d at %x in action %d\n", arg4, arg5, arg2);
}
