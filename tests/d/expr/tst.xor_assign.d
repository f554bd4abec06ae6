/*
 * ^= computes in the common type and cuts to the variable's. The expected values are those that a C compiler gives.
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
	a ^= 0xffff;
	b ^= 0xffff;
	c ^= 0xffff;
	d ^= 0xffff;
	e ^= 0xffff;
	f ^= 0xffff;
	g ^= 0xffff;
	h ^= 0xffff;
	printf("%d %d %d %d %d %d %d %d\n", a, b, c, d, e, f, g, h);
	exit(0);
}
