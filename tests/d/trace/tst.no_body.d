/*
 * On the command line a description needs no body: it records that it fired.
 * @needs: root
 * @run: exec dtrace -n 'BEGIN' -n 'BEGIN{exit(0)}'
 */
BEGIN { }
