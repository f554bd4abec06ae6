/*
 * The kernel's enumerators are constants.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("%d %d %d\n", PIDTYPE_PID, PIDTYPE_TGID, sizeof (enum pid_type));
	exit(0);
}
