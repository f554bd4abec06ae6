/*
 * A key of another kind than at the first use.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	a["x"] = 3;
	trace(a[1]);
}
