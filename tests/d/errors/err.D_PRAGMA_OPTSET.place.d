/*
 * An option of the command line only.
 * @args: -x errtags -e
 * @exit: 1
 */
#pragma D option cpp
BEGIN { }
