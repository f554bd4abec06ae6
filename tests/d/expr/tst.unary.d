/*
 * Unary minus, complement and not promote their operand. The expected values are those that a C compiler gives.
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
	printf("%d %d %d %d %d\n", -a, ~a, !a, +a, !!a);
	printf("%d %d %d %d %d\n", -b, ~b, !b, +b, !!b);
	printf("%d %d %d %d %d\n", -c, ~c, !c, +c, !!c);
	printf("%d %d %d %d %d\n", -d, ~d, !d, +d, !!d);
	printf("%d %d %d %d %d\n", -e, ~e, !e, +e, !!e);
	printf("%d %d %d %d %d\n", -f, ~f, !f, +f, !!f);
	printf("%d %d %d %d %d\n", -g, ~g, !g, +g, !!g);
	printf("%d %d %d %d %d\n", -h, ~h, !h, +h, !!h);
	exit(0);
}
