/*
 * One storage class to a declaration.
 * @needs: root
 */
static extern int x; BEGIN { }
