/*
 * Casts cut to the target's width and extend by its sign. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d %d %d %d %d\n", (int8_t)a, (uint8_t)a, (int16_t)a, (uint16_t)a, (int32_t)a, (uint32_t)a, (int64_t)a, (uint64_t)a);
	printf("%d %d %d %d %d %d %d %d\n", (int8_t)b, (uint8_t)b, (int16_t)b, (uint16_t)b, (int32_t)b, (uint32_t)b, (int64_t)b, (uint64_t)b);
	printf("%d %d %d %d %d %d %d %d\n", (int8_t)c, (uint8_t)c, (int16_t)c, (uint16_t)c, (int32_t)c, (uint32_t)c, (int64_t)c, (uint64_t)c);
	printf("%d %d %d %d %d %d %d %d\n", (int8_t)d, (uint8_t)d, (int16_t)d, (uint16_t)d, (int32_t)d, (uint32_t)d, (int64_t)d, (uint64_t)d);
	printf("%d %d %d %d %d %d %d %d\n", (int8_t)e, (uint8_t)e, (int16_t)e, (uint16_t)e, (int32_t)e, (uint32_t)e, (int64_t)e, (uint64_t)e);
	printf("%d %d %d %d %d %d %d %d\n", (int8_t)f, (uint8_t)f, (int16_t)f, (uint16_t)f, (int32_t)f, (uint32_t)f, (int64_t)f, (uint64_t)f);
	printf("%d %d %d %d %d %d %d %d\n", (int8_t)g, (uint8_t)g, (int16_t)g, (uint16_t)g, (int32_t)g, (uint32_t)g, (int64_t)g, (uint64_t)g);
	printf("%d %d %d %d %d %d %d %d\n", (int8_t)h, (uint8_t)h, (int16_t)h, (uint16_t)h, (int32_t)h, (uint32_t)h, (int64_t)h, (uint64_t)h);
	exit(0);
}
