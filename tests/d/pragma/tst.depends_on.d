/*
 * depends_on a provider that is there.
 * @needs: root
 * @args: -q
 */
#pragma D depends_on provider dtrace
#pragma D depends_on module vmlinux

BEGIN
{
	exit(0);
}
