/*
 * A fault in ERROR itself does not fire ERROR again.
 * @needs: root
 * @args: -q
 */
BEGIN { trace(*(int *)1); }
BEGIN { exit(0); }

ERROR
{
	n++;
	trace(*(int *)2);
}

END
{
	printf("%d\n", n);
}
