/*
 * An enumerator is an int.
 * @args: -x errtags -e
 * @exit: 1
 */
enum e { A = 0x100000000 };
BEGIN { }
