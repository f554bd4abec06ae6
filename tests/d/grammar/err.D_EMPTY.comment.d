/*
 * Nothing but this comment.
 * @args: -x errtags -e
 * @exit: 1
 */

