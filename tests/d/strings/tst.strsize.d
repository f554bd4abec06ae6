/*
 * Strings longer than strsize are cut: its NUL is counted.
 * @needs: root
 * @args: -q -x strsize=8
 */
BEGIN
{
	s = strjoin("abcdef", "ghijkl");
	printf("%s %d\n", s, strlen(s));
	t = strjoin(s, s);
	printf("%s %d\n", t, strlen(t));
	a["k"] = t;
	printf("%s\n", a["k"]);
	exit(0);
}
