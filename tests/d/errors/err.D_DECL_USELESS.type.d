/*
 * A declaration that declares nothing.
 * @args: -x errtags -e
 * @exit: 1
 */
int;
BEGIN { }
