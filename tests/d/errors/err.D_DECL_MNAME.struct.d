/*
 * A member without a name.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s { int; };
BEGIN { }
