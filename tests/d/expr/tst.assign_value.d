/*
 * The value of an assignment is the variable's new value, after its conversion. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d %d %d\n", (a = 300), (b = -1), (c = 70000), (d = -2), (e = 5000000000), (f = -3));
	printf("%d %d %d %d\n", (a += 250), (b -= 1), (c *= 9), (f /= 3));
	printf("%d %d %d %d %d %d %d %d\n", a, b, c, d, e, f, g, h);
	exit(0);
}
