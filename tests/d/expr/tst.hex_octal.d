/*
 * Constants in all bases with all suffixes. The expected values are those that a C compiler gives.
 * @needs: root
 * @args: -q
 */

BEGIN
{
	printf("%d %d %d %d %d %d\n", 0x10, 0X1f, 017, 0, 10u, 10U);
	printf("%d %d %d %d %d %d\n", 10l, 10L, 10ul, 10UL, 10ll, 10ull);
	printf("%d %d %d %d\n", 0xfffffffful, 0x80000000, 4294967295, 037777777777);
	exit(0);
}
