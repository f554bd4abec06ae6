/*
 * After a fault the rest of a clause with if is left out, as a whole clause's is; the next clause runs.
 * @needs: root
 * @args: -q
 * @exit: 4
 */
BEGIN
{
	printf("first\n");
	if (1) {
		printf("%d\n", *(int *)64);
	}
	printf("never\n");
	exit(1);
}

BEGIN
{
	if (1) {
		printf("second clause\n");
	}
	exit(4);
}
