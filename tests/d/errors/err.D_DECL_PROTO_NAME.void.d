/*
 * A void parameter with a name.
 * @args: -x errtags -e
 * @exit: 1
 */
int f(void v);
BEGIN { }
