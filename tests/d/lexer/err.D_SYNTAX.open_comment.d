/*
 * A comment that never ends is told at its start.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { exit(0); }
/* and so on
