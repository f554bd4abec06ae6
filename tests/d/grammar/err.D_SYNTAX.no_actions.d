/*
 * A predicate wants braces behind it.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN /1/
