/*
 * An inline has as many arguments as its definition.
 * @args: -x errtags -e
 * @exit: 1
 */
inline int twice[int v] = v * 2;
BEGIN
{
	trace(twice[1, 2]);
}
