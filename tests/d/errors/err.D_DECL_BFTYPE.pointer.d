/*
 * A bit-field of pointers.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s { char *f : 3; };
BEGIN { }
