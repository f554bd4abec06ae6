/*
 * A kernel symbol that does not exist.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	trace((uint64_t)&`no_such_symbol_here);
}
