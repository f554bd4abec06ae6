/*
 * %% and text without a conversion.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	printf("100%%\n");
	printf("%d%% of %s%%\n", 5, "x");
	printf("plain\n");
	exit(0);
}
