/*
 * A predicate holds an expression.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN // { }
