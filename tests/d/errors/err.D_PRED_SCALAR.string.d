/*
 * A string is no predicate.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
/execname/
{
}
