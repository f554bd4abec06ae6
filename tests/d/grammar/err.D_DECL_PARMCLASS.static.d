/*
 * A parameter has no storage class.
 * @needs: root
 */
int f(static int x); BEGIN { }
