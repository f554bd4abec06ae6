/*
 * A clause ends at its brace.
 * @needs: root
 */
BEGIN { };
