/*
 * An inline cannot be changed.
 * @args: -x errtags -e
 * @exit: 1
 */
inline int x = 1;
BEGIN
{
	x++;
}
