/*
 * There is no unsigned string.
 * @args: -x errtags -e
 * @exit: 1
 */
unsigned string x; BEGIN { }
