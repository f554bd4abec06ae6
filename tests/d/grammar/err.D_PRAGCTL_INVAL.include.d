/*
 * Without -C there is no #include.
 * @needs: root
 */
#include <stdio.h>
BEGIN { }
