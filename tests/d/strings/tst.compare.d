/*
 * The six comparisons go by bytes, a prefix is less.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	a = "abc";
	b = "abd";
	p = "ab";
	printf("%d%d%d%d%d%d\n", a == b, a != b, a < b, a <= b, a > b, a >= b);
	printf("%d%d%d%d%d%d\n", a == p, a != p, a < p, a <= p, a > p, a >= p);
	exit(0);
}
