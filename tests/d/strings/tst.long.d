/*
 * The default strsize holds 255 bytes.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	s = "0123456789abcdef";
	s = strjoin(s, s);
	s = strjoin(s, s);
	s = strjoin(s, s);
	s = strjoin(s, s);
	printf("%d\n", strlen(s));
	s = strjoin("x", s);
	printf("%d %d\n", strlen(s), strlen(strjoin(s, s)));
	exit(0);
}
