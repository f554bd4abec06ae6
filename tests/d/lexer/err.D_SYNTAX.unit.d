/*
 * Only probe names carry units: 10ms is no number.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace(10ms); }
