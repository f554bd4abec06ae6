/*
 * A bit-field's width is a constant.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s { int f : pid; };
BEGIN { }
