/*
 * Declarations stand outside clauses.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { int x; x = 1; }
