/*
 * Clauses of one probe run in the order of the text.
 * @needs: root
 * @args: -q
 */
BEGIN { printf("1 "); }
dtrace:::BEGIN { printf("2 "); }
:::BEGIN { printf("3 "); }
BEGIN { printf("4\n"); exit(0); }
