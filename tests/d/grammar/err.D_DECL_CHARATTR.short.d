/*
 * There is no short char.
 * @args: -x errtags -e
 * @exit: 1
 */
short char x; BEGIN { }
