/*
 * A cast of a result cuts what the wider arithmetic made. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d %d %d\n", (int8_t)(a + b), (uint8_t)(a + b), (int16_t)(a + b), (uint16_t)(a + b), (int32_t)(a + b), (uint32_t)(a + b));
	printf("%d %d %d %d %d %d\n", (int8_t)(c + d), (uint8_t)(c + d), (int16_t)(c + d), (uint16_t)(c + d), (int32_t)(c + d), (uint32_t)(c + d));
	printf("%d %d %d %d %d %d\n", (int8_t)(e + f), (uint8_t)(e + f), (int16_t)(e + f), (uint16_t)(e + f), (int32_t)(e + f), (uint32_t)(e + f));
	printf("%d %d %d %d %d %d\n", (int8_t)(g + h), (uint8_t)(g + h), (int16_t)(g + h), (uint16_t)(g + h), (int32_t)(g + h), (uint32_t)(g + h));
	printf("%d %d %d %d %d %d\n", (int8_t)(b + h), (uint8_t)(b + h), (int16_t)(b + h), (uint16_t)(b + h), (int32_t)(b + h), (uint32_t)(b + h));
	exit(0);
}
