/*
 * A bit-field wider than its type.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s { int f : 33; };
BEGIN { }
