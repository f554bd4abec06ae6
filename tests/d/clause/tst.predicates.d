/*
 * A predicate is any scalar; a clause without one always runs; pointers count as true.
 * @needs: root
 * @args: -q
 */
int64_t x;

BEGIN /0/ { printf("no "); }
BEGIN /1/ { printf("a "); }
BEGIN /-1/ { printf("b "); }
BEGIN /curthread/ { printf("c "); }
BEGIN /!curthread/ { printf("no "); }
BEGIN /x/ { printf("no "); }
BEGIN { x = 4294967296; }
BEGIN /x/ { printf("d "); }
BEGIN /x > 1 && x < 4294967297 || 0/ { printf("e "); }
BEGIN /x ^^ 1/ { printf("no "); }
BEGIN /x ^^ 0/ { printf("f "); }
BEGIN { printf("\n"); exit(0); }
