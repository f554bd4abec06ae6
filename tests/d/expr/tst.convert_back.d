/*
 * A value that goes through a narrower variable is that variable's. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d %d %d\n", (int64_t)(int8_t)h, (int64_t)(uint8_t)h, (int64_t)(int16_t)h, (int64_t)(uint16_t)h, (int64_t)(int32_t)h, (int64_t)(uint32_t)h);
	printf("%d %d %d %d %d %d\n", (uint64_t)(int8_t)h, (uint64_t)(uint8_t)h, (uint64_t)(int16_t)h, (uint64_t)(uint16_t)h, (uint64_t)(int32_t)h, (uint64_t)(uint32_t)h);
	printf("%d %d %d %d %d %d\n", (int32_t)(int8_t)h, (int32_t)(uint8_t)h, (int32_t)(int16_t)h, (int32_t)(uint16_t)h, (int32_t)(int32_t)h, (int32_t)(uint32_t)h);
	printf("%d %d %d %d %d %d\n", (uint32_t)(int8_t)h, (uint32_t)(uint8_t)h, (uint32_t)(int16_t)h, (uint32_t)(uint16_t)h, (uint32_t)(int32_t)h, (uint32_t)(uint32_t)h);
	exit(0);
}
