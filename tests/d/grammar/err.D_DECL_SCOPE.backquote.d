/*
 * A kernel symbol cannot be declared.
 * @args: -x errtags -e
 * @exit: 1
 */
int vmlinux`jiffies; BEGIN { }
