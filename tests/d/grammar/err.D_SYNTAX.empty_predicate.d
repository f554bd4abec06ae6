/*
 * A predicate holds an expression.
 * @needs: root
 */
BEGIN // { }
