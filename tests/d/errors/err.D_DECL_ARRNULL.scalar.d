/*
 * An array needs its size.
 * @args: -x errtags -e
 * @exit: 1
 */
char a[];
BEGIN { }
