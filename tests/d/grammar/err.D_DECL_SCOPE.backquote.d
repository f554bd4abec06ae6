/*
 * A kernel symbol cannot be declared.
 * @needs: root
 */
int vmlinux`jiffies; BEGIN { }
