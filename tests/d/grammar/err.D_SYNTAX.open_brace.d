/*
 * The clause is never closed.
 * @needs: root
 */
BEGIN { trace(1);
