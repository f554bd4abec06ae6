/*
 * A shift's count may be of any integer type and does not convert the left side. The expected values are those that a C compiler gives.
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
	a = 3;
	b = 4;
	c = 5;
	d = 6;
	g = 7;
	h = 8;
	printf("%d %d %d %d %d %d\n", e << a, e << b, e << c, e << d, e << g, e << h);
	printf("%d %d %d %d %d %d\n", e >> a, e >> b, e >> c, e >> d, e >> g, e >> h);
	printf("%d %d %d %d %d %d\n", f << a, f << b, f << c, f << d, f << g, f << h);
	printf("%d %d %d %d %d %d\n", f >> a, f >> b, f >> c, f >> d, f >> g, f >> h);
	exit(0);
}
