/*
 * With a predicate nothing of the clause runs unless it holds.
 * @needs: root
 * @args: -q
 */
BEGIN
/pid == 0/
{
	printf("never ");
	if (1) {
		printf("never ");
	} else {
		printf("never ");
	}
	printf("never ");
}

BEGIN
/pid != 0/
{
	if (1)
		printf("once\n");
	exit(0);
}
