/*
 * There is no short char.
 * @needs: root
 */
short char x; BEGIN { }
