/*
 * Flags, widths and precisions of integers are C's.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	n = 1234;
	m = -56;
	z = 0;
	printf("[%d] [%i] [%u] [%x] [%X] [%o]\n", n, n, n, 0xabcd, 0xabcd, n);
	printf("[%8d] [%-8d] [%08d] [%+d] [% d] [%+d]\n", n, n, n, n, n, m);
	printf("[%8d] [%-8d] [%08d] [% d]\n", m, m, m, m);
	printf("[%.6d] [%10.6d] [%-10.6d] [%.6d]\n", n, n, n, m);
	printf("[%#x] [%#X] [%#o] [%#x] [%#10x] [%-#10x|]\n", 0xabcd, 0xabcd, n, z, 0xabcd, 0xabcd);
	printf("[%3d] [%2d]\n", n, m);
	exit(0);
}
