/*
 * The last argument is never named.
 * @needs: root
 * @more: 1 2
 */
BEGIN { trace($1); }
