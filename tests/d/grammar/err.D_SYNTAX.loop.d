/*
 * D has no loops, and says so.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { for (i = 0; i < 3; i++) { trace(i); } }
