/*
 * In a file a description needs a predicate or a body.
 * @needs: root
 */
BEGIN
