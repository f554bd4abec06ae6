/*
 * Globals start as 0.
 * @args: -x errtags -e
 * @exit: 1
 */
int x = 1; BEGIN { trace(x); }
