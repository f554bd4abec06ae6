/*
 * A value that is none.
 * @args: -x errtags -e
 * @exit: 1
 */
#pragma D option bufsize=many
BEGIN { }
