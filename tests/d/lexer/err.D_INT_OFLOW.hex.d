/*
 * Seventeen hexadecimal digits.
 * @needs: root
 */
BEGIN { trace(0x10000000000000000); }
