/*
 * Comparisons with constants and of constants; bytes above 127 are the largest.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	a = "abc";
	printf("%d%d%d%d%d%d\n", a == "abc", a != "abc", a < "abca", "ABC" <= a, a > "Z", "\377" >= a);
	printf("%d%d%d%d\n", a == "ab", a == "abcd", "" == a, a != "");
	printf("%d%d%d%d%d%d\n", "x" == "x", "x" != "x", "x" < "y", "y" <= "x", "y" > "x", "x" >= "y");
	exit(0);
}
