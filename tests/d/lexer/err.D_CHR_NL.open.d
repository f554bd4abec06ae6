/*
 * A character constant ends on its line.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { trace('a);
}
