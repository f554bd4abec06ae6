/*
 * Both arms of ?: have one common type, whichever is taken. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d %d %d %d %d\n", (b ? a : a), (b ? a : b), (b ? a : c), (b ? a : d), (b ? a : e), (b ? a : f), (b ? a : g), (b ? a : h));
	printf("%d %d %d %d %d %d %d %d\n", (b ? d : a), (b ? d : b), (b ? d : c), (b ? d : d), (b ? d : e), (b ? d : f), (b ? d : g), (b ? d : h));
	printf("%d %d %d %d %d %d %d %d\n", (b ? f : a), (b ? f : b), (b ? f : c), (b ? f : d), (b ? f : e), (b ? f : f), (b ? f : g), (b ? f : h));
	printf("%d %d %d %d %d %d %d %d\n", (b ? g : a), (b ? g : b), (b ? g : c), (b ? g : d), (b ? g : e), (b ? g : f), (b ? g : g), (b ? g : h));
	exit(0);
}
