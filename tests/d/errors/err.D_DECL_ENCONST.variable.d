/*
 * An enumerator's value is a constant.
 * @args: -x errtags -e
 * @exit: 1
 */
enum e { A = pid };
BEGIN { }
