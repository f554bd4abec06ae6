/*
 * An integer constant of more than 64 bits.
 * @needs: root
 */
BEGIN { trace(18446744073709551616); }
