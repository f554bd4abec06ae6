/*
 * void is no key.
 * @args: -x errtags -e
 * @exit: 1
 */
int a[void];
BEGIN { }
