/*
 * A struct that is declared, not defined.
 * @args: -x errtags -e
 * @exit: 1
 */
struct lkd_none;
BEGIN
{
	trace(((struct lkd_none *)0)->x);
}
