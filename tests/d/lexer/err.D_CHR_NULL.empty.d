/*
 * A character constant holds a character.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace(''); }
