/*
 * The clause is never closed.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace(1);
