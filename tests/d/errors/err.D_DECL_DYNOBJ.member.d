/*
 * An associative array is no member.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s { int a[int]; };
BEGIN { }
