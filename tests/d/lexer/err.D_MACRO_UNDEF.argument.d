/*
 * $1 without an argument.
 * @needs: root
 */
BEGIN { trace($1); }
