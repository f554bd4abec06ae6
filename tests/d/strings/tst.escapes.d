/*
 * C's escapes in string constants.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("[%s]\n", "a\tb\\c\"d\x41\102\'");
	printf("%d %d %d\n", strlen("\a\b\f\n\r\t\v"), strlen("a\0b"), strlen("\x7f"));
	exit(0);
}
