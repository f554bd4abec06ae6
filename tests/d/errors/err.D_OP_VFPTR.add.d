/*
 * void has no size to count in.
 * @args: -x errtags -e
 * @exit: 1
 */
void *p;
BEGIN
{
	p += 1;
}
