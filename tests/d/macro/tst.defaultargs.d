/*
 * -x defaultargs: what was not given is 0 or empty, and what is not used is no error.
 * @needs: root
 * @args: -q -x defaultargs
 * @more: used unused
 */
BEGIN
{
	printf("%s|%d|%s|\n", $$1, $3, $$4);
	exit(0);
}
