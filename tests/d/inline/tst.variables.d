/*
 * An inline stands for its expression, evaluated at each use.
 * @needs: root
 * @args: -q
 */
int n;
inline int next = n + 1;
inline int mine = pid == 0 ? -1 : 1;

BEGIN
{
	n = 4;
	printf("%d ", next);
	n = 8;
	printf("%d %d\n", next, mine);
	exit(0);
}
