/*
 * D has no floating-point constants.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace(1.5); }
