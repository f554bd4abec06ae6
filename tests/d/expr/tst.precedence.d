/*
 * Operators bind as in C. The expected values are those that a C compiler gives.
 * @needs: root
 * @args: -q
 */
int8_t a;
uint8_t b;
int16_t c;
uint16_t d;
int32_t e;
uint32_t f;
int64_t g;
uint64_t h;

BEGIN
{
	a = -7;
	b = 250;
	c = -300;
	d = 65000;
	e = -100000;
	f = 4000000000u;
	g = -5000000000ll;
	h = 18000000000000000000ull;
	printf("%d %d %d %d %d %d\n", a + b * c, a - b - e, b / 5 / 5, a << 1 + 1, a & 7 == 7, b | 1 ^ 1 & 3);
	printf("%d %d %d %d %d %d\n", a < b == 1, a == a < b, !a + 1, -b * 2, ~b & 255, (char)b + 1);
	printf("%d %d %d %d %d %d\n", a ? b ? 1 : 2 : 3, a && b || 0, a || b && 0, b % 7 * 2, b - 1 > 3 && c < 0, (a, b));
	exit(0);
}
