/*
 * Translators are not built.
 * @args: -x errtags -e
 * @exit: 1
 */
struct out { int x; };
translator struct out < struct task_struct *t > { x = t->pid; };
BEGIN { }
