/*
 * There is no signed void.
 * @args: -x errtags -e
 * @exit: 1
 */
signed void *x; BEGIN { }
