/*
 * The number of frames is a constant.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = 3;
	stack(x);
}
