/*
 * A parenthesis is open at the predicate's end.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN /(1/ { }
