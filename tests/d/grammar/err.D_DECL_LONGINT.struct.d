/*
 * There is no long struct.
 * @args: -x errtags -e
 * @exit: 1
 */
long struct task_struct *x; BEGIN { }
