/*
 * A predicate that faults keeps its clause from running.
 * @needs: root
 * @args: -q
 */
BEGIN
/ *(int *)0 == 0 /
{
	printf("not reached\n");
}

BEGIN
{
	exit(0);
}
