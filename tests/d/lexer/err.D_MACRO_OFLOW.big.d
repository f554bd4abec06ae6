/*
 * An argument of more than 64 bits.
 * @needs: root
 * @more: 18446744073709551616
 */
BEGIN { trace($1); }
