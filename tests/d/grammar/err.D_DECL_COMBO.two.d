/*
 * One type to a declaration.
 * @needs: root
 */
int char x; BEGIN { }
