/*
 * A variable of type void.
 * @args: -x errtags -e
 * @exit: 1
 */
void v;
BEGIN { }
