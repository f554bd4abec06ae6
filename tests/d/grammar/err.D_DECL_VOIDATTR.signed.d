/*
 * There is no signed void.
 * @needs: root
 */
signed void *x; BEGIN { }
