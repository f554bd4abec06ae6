/*
 * A predicate wants braces behind it.
 * @needs: root
 */
BEGIN /1/
