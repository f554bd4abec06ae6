/*
 * Remainders, with the sign of the left side, of all widths. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d %d %d %d %d\n", a % a, a % b, a % c, a % d, a % e, a % f, a % g, a % h);
	printf("%d %d %d %d %d %d %d %d\n", b % a, b % b, b % c, b % d, b % e, b % f, b % g, b % h);
	printf("%d %d %d %d %d %d %d %d\n", c % a, c % b, c % c, c % d, c % e, c % f, c % g, c % h);
	printf("%d %d %d %d %d %d %d %d\n", d % a, d % b, d % c, d % d, d % e, d % f, d % g, d % h);
	printf("%d %d %d %d %d %d %d %d\n", e % a, e % b, e % c, e % d, e % e, e % f, e % g, e % h);
	printf("%d %d %d %d %d %d %d %d\n", f % a, f % b, f % c, f % d, f % e, f % f, f % g, f % h);
	printf("%d %d %d %d %d %d %d %d\n", g % a, g % b, g % c, g % d, g % e, g % f, g % g, g % h);
	printf("%d %d %d %d %d %d %d %d\n", h % a, h % b, h % c, h % d, h % e, h % f, h % g, h % h);
	exit(0);
}
