/*
 * An integer constant of more than 64 bits.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace(18446744073709551616); }
