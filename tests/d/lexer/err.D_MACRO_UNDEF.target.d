/*
 * $target wants -p or -c.
 * @needs: root
 */
BEGIN { trace($target); }
