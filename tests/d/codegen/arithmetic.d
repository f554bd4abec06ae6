/*
 * C's widths and signs.
 * @needs: root
 */
#pragma D option quiet

int32_t a;
uint32_t b;
int64_t c;
uint8_t d;

BEGIN
{
	a = (int32_t)arg0 / 7;
	b = (uint32_t)arg0 >> 3;
	c = arg0 % -5;
	d = (uint8_t)(a + b);
	a <<= 2;
	b++;
	c += a ? b : d;
	printf("%d %u %d %u\n", a, b, c, d);
	exit(0);
}
