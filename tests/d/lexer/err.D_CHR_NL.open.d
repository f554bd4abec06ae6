/*
 * A character constant ends on its line.
 * @needs: root
 */
BEGIN { trace('a);
}
