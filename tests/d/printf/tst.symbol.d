/*
 * %a names a kernel address: module`symbol, with an offset behind its start; what is no kernel address stays a number.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("%a %a\n", &`schedule, (uint64_t)&`schedule + 5);
	printf("%a\n", 0x10);
	printf("[%-24a] [%24a]\n", &`schedule, &`schedule);
	exit(0);
}
