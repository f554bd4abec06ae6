/*
 * An argument of more than 64 bits.
 * @more: 18446744073709551616
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace($1); }
