/*
 * BTF has no types of data symbols: a cast says it.
 * @args: -x errtags -e
 * @exit: 1
 * @where: guest
 */
BEGIN
{
	trace(`jiffies);
}
