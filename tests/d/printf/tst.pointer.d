/*
 * %p is hexadecimal, without 0x unless asked; %? is as wide as an address.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("%p %p\n", (void *)0x1234, 255);
	printf("[%?x]\n", 0xff);
	printf("%d\n", (uint64_t)curthread >> 63);
	exit(0);
}
