/*
 * Constants are computed as C computes them. The expected values are those that a C compiler gives.
 * @needs: root
 * @args: -q
 */

BEGIN
{
	printf("%d %d %d %d %d %d\n", 1 + 2 * 3, (1 + 2) * 3, 7 / 2, -7 / 2, -7 % 3, 7 % -3);
	printf("%d %d %d %d %d %d\n", 1 << 4 | 1, 0xff & ~0xf, 6 ^ 3, !5, !0, -(-5));
	printf("%d %d %d %d %d %d\n", 2147483647 + 0u, 4294967295u + 1, 4294967295u + 1l, -1 < 1u, -1l < 1u, -1 < 1);
	printf("%d %d %d %d %d %d\n", 1 ? 2 : 3, 0 ? 2 : 3, 1 && 0, 1 || 0, 3 > 2, 2 >= 3);
	printf("%d %d %d %d\n", 0x7fffffffffffffff, 0xffffffffffffffff, -9223372036854775807 - 1, 1ull << 63);
	printf("%d %d %d %d %d %d\n", 010, 0xAbC, 'A', '\n', '\x41', '\101');
	exit(0);
}
