/*
 * exit()'s argument is dtrace's status; END still runs, later clauses of the same firing too.
 * @needs: root
 * @args: -q
 * @exit: 77
 */
BEGIN { printf("a "); exit(70 + 7); }
BEGIN { printf("b "); }
END { printf("end\n"); }
