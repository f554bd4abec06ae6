/*
 * A parameter has no storage class.
 * @args: -x errtags -e
 * @exit: 1
 */
int f(static int x); BEGIN { }
