/*
 * profile-N fires where a CPU is: arg0 is a place in the kernel or arg1 one in the process, never both.
 * @needs: root getppid
 * @trigger: while :; do getppid 1000000 >/dev/null; done
 * @args: -q
 */
int kernel, user, wrong;

profile-997
{
	kernel += arg0 != 0;
	user += arg1 != 0;
	wrong += arg0 != 0 && arg1 != 0;
	wrong += arg0 != 0 && (arg0 >> 63) == 0;
}

profile-997
/kernel > 3 && user > 3/
{
	exit(0);
}

END
{
	printf("%d\n", wrong);
}
