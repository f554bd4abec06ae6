/*
 * A probe by its number.
 * @needs: root
 * @args: -q
 */
1
{
	printf("%s %d\n", probename, id);
	exit(0);
}
