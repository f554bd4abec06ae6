/*
 * A clause-local array cannot be declared.
 * @args: -x errtags -e
 * @exit: 1
 */
this int a[int];
BEGIN { }
