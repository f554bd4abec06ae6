/*
 * One storage class to a declaration.
 * @args: -x errtags -e
 * @exit: 1
 */
static extern int x; BEGIN { }
