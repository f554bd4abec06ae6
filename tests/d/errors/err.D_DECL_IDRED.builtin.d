/*
 * A built-in name cannot be declared.
 * @args: -x errtags -e
 * @exit: 1
 */
int pid;
BEGIN { }
