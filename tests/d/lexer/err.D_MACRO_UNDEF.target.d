/*
 * $target wants -p or -c.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace($target); }
