/*
 * A struct defined twice.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s { int a; };
struct s { int b; };
BEGIN { }
