/*
 * sizeof of types and of results after promotion. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d %d %d\n", sizeof (char), sizeof (short), sizeof (int), sizeof (long), sizeof (long long), sizeof (void *));
	printf("%d %d %d %d %d %d %d %d\n", sizeof (a), sizeof (b), sizeof (c), sizeof (d), sizeof (e), sizeof (f), sizeof (g), sizeof (h));
	printf("%d %d %d %d %d %d %d\n", sizeof (a + a), sizeof (a + g), sizeof (e * h), sizeof (b << 3), sizeof (!h), sizeof (a == h), sizeof (1 ? a : h));
	printf("%d %d %d %d %d\n", sizeof (1), sizeof (1l), sizeof (1ull), sizeof (4294967296), sizeof (0xffffffff));
	printf("%d %d %d %d\n", sizeof (unsigned char), sizeof (unsigned short int), sizeof (long unsigned int), sizeof (signed));
	exit(0);
}
