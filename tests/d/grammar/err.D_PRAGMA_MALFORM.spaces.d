/*
 * No space around an option's =.
 * @args: -x errtags -e
 * @exit: 1
 */
#pragma D option bufsize = 4m
BEGIN { }
