/*
 * A condition is evaluated once.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	n = 0;
	if (n++ == 0) {
		printf("then %d", n);
	} else {
		printf("else %d", n);
	}
	printf(" %d\n", n);
	exit(0);
}
