/*
 * Without -C there is no #include.
 * @args: -x errtags -e
 * @exit: 1
 */
#include <stdio.h>
BEGIN { }
