/*
 * A parenthesis is open at the predicate's end.
 * @needs: root
 */
BEGIN /(1/ { }
