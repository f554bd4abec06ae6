/*
 * There is no $nosuch.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace($nosuch); }
