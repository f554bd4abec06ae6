/*
 * Many conversions in one format.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d %s%s%s%s\n", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
	    "a", "bb", "ccc", probename);
	exit(0);
}
