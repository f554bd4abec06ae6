/*
 * An octal constant has no digit 9.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace(019); }
