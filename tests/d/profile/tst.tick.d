/*
 * tick-N fires again and again, on one CPU each time.
 * @needs: root
 * @args: -q
 */
int n;

tick-10ms
{
	n++;
}

tick-10ms
/n == 3/
{
	printf("%s:%s:%s:%s %d\n", probeprov, probemod, probefunc, probename, n);
	exit(0);
}
