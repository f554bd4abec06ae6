/*
 * Exactly one of the two branches runs.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	x = 0;
	if (x)
		printf("yes ");
	else
		printf("no ");
	x = 2;
	if (x) {
		printf("yes ");
		x = 0;
	} else {
		printf("no ");
	}
	printf("%d\n", x);
	exit(0);
}
