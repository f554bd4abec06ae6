/*
 * void beside another parameter.
 * @args: -x errtags -e
 * @exit: 1
 */
int f(void, int);
BEGIN { }
