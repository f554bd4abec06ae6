/*
 * * takes width and precision from the arguments; a negative width is to the left.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	w = 6;
	printf("[%*d] [%-*d] [%*s] [%.*s] [%*.*d]\n", w, 42, w, 42, 5, "ab", 2, "abcdef", 8, 3, 7);
	printf("[%*d]\n", -6, 42);
	exit(0);
}
