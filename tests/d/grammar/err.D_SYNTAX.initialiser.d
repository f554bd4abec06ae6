/*
 * Globals start as 0.
 * @needs: root
 */
int x = 1; BEGIN { trace(x); }
