/*
 * Right shifts keep the sign of a signed left side. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d\n", a >> 0, a >> 1, a >> 7, a >> 31);
	printf("%d %d %d %d\n", b >> 0, b >> 1, b >> 7, b >> 31);
	printf("%d %d %d %d\n", c >> 0, c >> 1, c >> 7, c >> 31);
	printf("%d %d %d %d\n", d >> 0, d >> 1, d >> 7, d >> 31);
	printf("%d %d %d %d\n", e >> 0, e >> 1, e >> 7, e >> 31);
	printf("%d %d %d %d\n", f >> 0, f >> 1, f >> 7, f >> 31);
	printf("%d %d %d %d %d\n", g >> 0, g >> 1, g >> 7, g >> 31, g >> 63);
	printf("%d %d %d %d %d\n", h >> 0, h >> 1, h >> 7, h >> 31, h >> 63);
	exit(0);
}
