/*
 * A member of an undefined struct.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s;
struct t { struct s inner; };
BEGIN { }
