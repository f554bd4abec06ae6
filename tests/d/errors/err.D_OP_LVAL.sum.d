/*
 * A sum cannot be counted up.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = 1;
	(x + 1)++;
}
