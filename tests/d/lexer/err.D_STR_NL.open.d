/*
 * A string ends on its line.
 * @needs: root
 */
BEGIN { trace("abc);
}
