/*
 * A comment that never ends is told at its start.
 * @needs: root
 */
BEGIN { exit(0); }
/* and so on
