/*
 * Elements that are strings: assigned, copied, replaced by longer and shorter ones, taken away.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	a["k"] = "a rather long value";
	b = a["k"];
	a["k"] = "short";
	printf("%s|%s|%d\n", a["k"], b, strlen(a["k"]));
	a["k"] = 0;
	printf("<%s> %d\n", a["k"], a["k"] == "");
	exit(0);
}
