/*
 * $pid, $ppid, $uid and the rest are dtrace's own.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("%d %d %d %d\n", $pid == pid, $ppid == ppid, $uid == uid, $gid == gid);
	printf("%d %d %d\n", $euid, $egid, $sid >= 0 && $pgid >= 0);
	exit(0);
}
