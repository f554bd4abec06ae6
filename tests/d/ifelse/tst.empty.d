/*
 * Empty branches; else of an empty branch.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	if (1) {
	}
	if (0) {
	} else {
		printf("else\n");
	}
	if (1)
		;
	exit(0);
}
