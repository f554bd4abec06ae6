/*
 * Equal strings, and the empty one.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	a = "abc";
	b = strjoin("a", "bc");
	e = "";
	printf("%d%d%d%d%d%d\n", a == b, a != b, a < b, a <= b, a > b, a >= b);
	printf("%d%d%d%d%d%d\n", e == a, e != a, e < a, e <= a, e > a, e >= a);
	exit(0);
}
