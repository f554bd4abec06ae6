/*
 * %Y and %T print nanoseconds since 1970 as a date.
 * @needs: root
 * @run: TZ=UTC exec dtrace -q -s "$FILE"
 */
BEGIN
{
	printf("%Y|%Y\n", (int64_t)0, 1574766611000000000);
	printf("%T\n", (int64_t)0);
	printf("%Y\n", walltimestamp);
	exit(0);
}
