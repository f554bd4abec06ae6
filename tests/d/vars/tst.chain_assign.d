/*
 * Assignments group from the right, and each converts.
 * @needs: root
 * @args: -q
 */
int64_t wide;
uint8_t narrow;
int16_t middle;

BEGIN
{
	wide = narrow = middle = -2;
	printf("%d %d %d\n", wide, narrow, middle);
	exit(0);
}
