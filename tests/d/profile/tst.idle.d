/*
 * A tick comes on an idle machine.
 * @needs: root
 * @args: -q
 */
tick-1s
{
	printf("fired\n");
	exit(0);
}
