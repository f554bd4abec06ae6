/*
 * An array's size is not negative.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s { int a[-1]; };
BEGIN { }
