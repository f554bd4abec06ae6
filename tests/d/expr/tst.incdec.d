/*
 * ++ and -- before yield the new value, behind the old one, and wrap at the type's width. The expected values are those that a C compiler gives.
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
	a = 127;
	b = 255;
	c = -32768;
	d = 0;
	e = 2147483647;
	f = 0;
	g = -1;
	h = 0;
	printf("%d\n", a++);
	printf("%d\n", a);
	printf("%d\n", ++b);
	printf("%d\n", b);
	printf("%d\n", c--);
	printf("%d\n", c);
	printf("%d\n", --d);
	printf("%d\n", d);
	printf("%d\n", ++e);
	printf("%d\n", f--);
	printf("%d\n", f);
	printf("%d\n", g++);
	printf("%d\n", g);
	printf("%d\n", --h);
	printf("%d\n", h--);
	printf("%d\n", h);
	exit(0);
}
