/*
 * Units from ns to d and hz; without a unit N is a frequency.
 * @needs: root
 * @args: -q
 */
int a, b, c, d;

tick-5000us { a = 1; }
tick-2000000ns { b = 1; }
profile:::tick-100hz { c = 1; }
tick-200 { d = 1; }
tick-1d, tick-1hour, tick-1min { printf("never\n"); }

tick-1ms
/a && b && c && d/
{
	printf("all\n");
	exit(0);
}
