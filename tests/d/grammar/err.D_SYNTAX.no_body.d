/*
 * In a file a description needs a predicate or a body.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
