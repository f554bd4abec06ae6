/*
 * Options with values, several pragmas, on and off.
 * @needs: root
 */
#pragma D option quiet
#pragma D option strsize=6
#pragma D option bufsize=64k
#pragma D option flowindent=off
#pragma D option switchrate=10hz
#pragma D option version=1.5

BEGIN
{
	trace(strjoin("abcd", "efgh"));
	exit(0);
}
