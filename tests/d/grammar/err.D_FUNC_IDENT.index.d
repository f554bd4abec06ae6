/*
 * Only a name can be called.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { x[1](2); }
