/*
 * So are keyed ones.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	@a[execname] = quantize(arg0);
}
