/*
 * Globals are typed by their first assignment or by a declaration, begin at zero and keep their value between probes.
 * @needs: root
 * @args: -q
 */
int32_t declared;
string text;

BEGIN
{
	printf("%d <%s>\n", declared, text);
	small = 1;
	large = 123456789012;
	name = "one";
	printf("%d %d %d\n", sizeof (small), sizeof (large), large);
	declared = 7;
	text = name;
	name = "two";
}

BEGIN
{
	printf("%d %s %s\n", declared, text, name);
	exit(0);
}

END
{
	printf("%d %s\n", declared + small, strjoin(text, name));
}
