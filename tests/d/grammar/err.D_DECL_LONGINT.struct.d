/*
 * There is no long struct.
 * @needs: root
 */
long struct task_struct *x; BEGIN { }
