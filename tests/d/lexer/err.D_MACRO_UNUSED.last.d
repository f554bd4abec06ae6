/*
 * The last argument is never named.
 * @more: 1 2
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace($1); }
