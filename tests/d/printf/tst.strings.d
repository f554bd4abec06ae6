/*
 * %s with width and precision, %S escapes, %c and %C.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	s = "string";
	printf("[%s] [%10s] [%-10s] [%.3s] [%10.3s] [%-10.3s] [%3s]\n", s, s, s, s, s, s, s);
	printf("[%c] [%5c] [%-5c] [%c%c]\n", 'A', 'B', 'C', 68, (char)69);
	printf("[%S]\n", "tab\there\nquote\"back\\\001");
	printf("[%C] [%C] [%C]\n", 'x', '\n', 1);
	printf("[%s]\n", "");
	exit(0);
}
