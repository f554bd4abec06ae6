/*
 * #error is the script's own word.
 * @args: -x errtags -e
 * @exit: 1
 */
#error not on this machine
BEGIN { }
