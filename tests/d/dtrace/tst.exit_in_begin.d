/*
 * exit() in BEGIN: no other probe fires, END does.
 * @needs: root syscall
 * @args: -q
 */
BEGIN { printf("begin "); exit(0); }
syscall:::entry { printf("never "); }
END { printf("end\n"); }
