/*
 * An array larger than memory.
 * @args: -x errtags -e
 * @exit: 1
 */
struct s { int a[0x100000000]; };
BEGIN { }
