/*
 * One type to a declaration.
 * @args: -x errtags -e
 * @exit: 1
 */
int char x; BEGIN { }
