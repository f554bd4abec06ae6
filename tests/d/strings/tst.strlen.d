/*
 * strlen counts the bytes before the NUL.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	s = "seventeen letters";
	printf("%d %d %d %d %d\n", strlen(""), strlen("a"), strlen(s), strlen(strjoin(s, s)), strlen("tab\there"));
	printf("%d %d\n", sizeof (strlen(s)), strlen(execname) > 0);
	exit(0);
}
