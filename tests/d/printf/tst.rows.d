/*
 * Without -q each record has its row; printf adds no newline of its own to the text, the row's end does.
 * @needs: root
 */
BEGIN
{
	printf("line\n");
}

BEGIN
{
	printf("one");
	printf(" two %d", 3);
	exit(0);
}
