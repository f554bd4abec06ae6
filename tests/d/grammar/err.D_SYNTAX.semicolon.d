/*
 * A clause ends at its brace.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { };
