/*
 * Nothing but this comment.
 * @needs: root
 */

