/*
 * Declarations stand outside clauses.
 * @needs: root
 */
BEGIN { int x; x = 1; }
