/*
 * Seventeen hexadecimal digits.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace(0x10000000000000000); }
