/*
 * A declared array's values are of its declaration's type.
 * @needs: root
 * @args: -q
 */
uint8_t byte[int8_t, string];

BEGIN
{
	byte[1, "k"] = 511;
	byte[2, "k"]--;
	printf("%d %d %d\n", byte[1, "k"], byte[2, "k"], sizeof (byte[1, "k"]));
	exit(0);
}
