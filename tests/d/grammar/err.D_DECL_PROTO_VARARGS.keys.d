/*
 * An associative array's keys are counted.
 * @args: -x errtags -e
 * @exit: 1
 */
int a[int, ...]; BEGIN { }
