/*
 * Eight bytes are as many as an integer holds.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace('123456789'); }
