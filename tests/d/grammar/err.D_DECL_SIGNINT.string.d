/*
 * There is no unsigned string.
 * @needs: root
 */
unsigned string x; BEGIN { }
