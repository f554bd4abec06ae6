/*
 * && and || and ?: evaluate only what they need: the null pointer is never read.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	zero = 0;
	one = 1;
	p = (int *)0;
	printf("%d %d %d %d\n", zero && *p, one || *p, zero ? *p : 5, one ? 6 : *p);
	n = 0;
	(zero && n++);
	(one || n++);
	(one && n++);
	(zero || n++);
	printf("%d\n", n);
	exit(0);
}

ERROR
{
	printf("fault\n");
}
