/*
 * ?: of strings of different lengths.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	n = 1;
	s = n ? "yes, indeed" : "no";
	n = 0;
	t = n ? "yes, indeed" : "no";
	printf("%s|%s|%s\n", s, t, n ? s : strjoin(t, "!"));
	exit(0);
}
