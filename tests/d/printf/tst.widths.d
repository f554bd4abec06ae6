/*
 * A conversion prints its argument at the argument's own width and sign; a length prefix changes nothing.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("%x %x %x %x\n", (int8_t)-1, (int16_t)-1, (int32_t)-1, (int64_t)-1);
	printf("%u %u %u %u\n", (int8_t)-1, (int16_t)-1, (int32_t)-1, (int64_t)-1);
	printf("%d %d %d %d\n", (int8_t)-1, (int16_t)-2, (int32_t)-3, (int64_t)-4);
	printf("%o %o\n", (int8_t)-1, (uint16_t)65535);
	printf("%hd %ld %lld %lx %llu\n", (short)-5, -6l, -7ll, 255ul, 8ull);
	printf("%d %d\n", 0x7fffffffffffffff, 0xffffffffffffffff);
	exit(0);
}
