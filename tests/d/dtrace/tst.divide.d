/*
 * Division by zero while running is a fault of its own kind.
 * @needs: root
 * @args: -q
 */
int zero;

BEGIN { trace(5 / zero); }
BEGIN { trace((uint64_t)5 % zero); }
BEGIN { exit(0); }

ERROR
{
	printf("%d %d\n", arg4, arg5);
}
