/*
 * An option that is not built.
 * @args: -x errtags -e
 * @exit: 1
 */
#pragma D option ctypes=x
BEGIN { }
