/*
 * The command line outranks the script.
 * @needs: root
 * @args: -x quiet -x strsize=4
 */
#pragma D option quiet=off
#pragma D option strsize=64

BEGIN
{
	trace(strjoin("abcd", "efgh"));
	exit(0);
}
