/*
 * strjoin of constants, variables, empty strings and its own results.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	a = "left";
	b = "right";
	printf("%s|%s|%s|%s|%s\n", strjoin(a, b), strjoin(a, ""), strjoin("", b), strjoin("", ""),
	    strjoin(strjoin(a, "-"), strjoin(b, strjoin("+", a))));
	a = strjoin(a, a);
	a = strjoin(a, a);
	printf("%s %d\n", a, strlen(a));
	exit(0);
}
