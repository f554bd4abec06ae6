/*
 * BEGIN, then what fires, then END, once each.
 * @needs: root
 * @args: -q
 */
int begun, ticks;

END { printf("end %d %d\n", begun, ticks); }
BEGIN { begun++; printf("begin "); }
tick-5ms { ticks++; printf("tick "); exit(0); }
