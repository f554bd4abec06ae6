/*
 * D has no static.
 * @args: -x errtags -e
 * @exit: 1
 */
static int x;
BEGIN { }
