/*
 * D has no loops, and says so.
 * @needs: root
 */
BEGIN { for (i = 0; i < 3; i++) { trace(i); } }
