/*
 * There is no such pragma.
 * @needs: root
 */
#pragma D nonsense
BEGIN { }
