/*
 * There is no such pragma.
 * @args: -x errtags -e
 * @exit: 1
 */
#pragma D nonsense
BEGIN { }
