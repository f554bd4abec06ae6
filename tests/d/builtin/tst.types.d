/*
 * The types of the built-in variables.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("%d %d %d %d %d\n", sizeof (pid), sizeof (tid), sizeof (ppid), sizeof (uid), sizeof (gid));
	printf("%d %d %d %d\n", sizeof (timestamp), sizeof (vtimestamp), sizeof (walltimestamp), sizeof (curthread));
	printf("%d %d %d %d %d\n", sizeof (arg0), sizeof (errno), sizeof (id), sizeof (epid), sizeof (caller));
	printf("%d\n", -1 < arg0 || arg0 <= 0);
	exit(0);
}
