/*
 * $1 without an argument.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace($1); }
