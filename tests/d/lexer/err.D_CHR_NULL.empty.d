/*
 * A character constant holds a character.
 * @needs: root
 */
BEGIN { trace(''); }
