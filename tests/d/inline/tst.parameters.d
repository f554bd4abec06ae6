/*
 * Inlines with parameters; a parameter hides a variable of its name and is evaluated as a value.
 * @needs: root
 * @args: -q
 */
int x;
inline int square[int x] = x * x;
inline int added[int a, int b] = a + b;
inline string pair[string a, string b] = strjoin(a, b);
inline uint8_t low[uint64_t v] = v & 0x1ff;

BEGIN
{
	x = 100;
	printf("%d %d %d\n", square[1 + 2], added[square[2], x], square[square[2]]);
	printf("%s %x\n", pair["one", pair["-", "two"]], low[0x12345]);
	exit(0);
}
