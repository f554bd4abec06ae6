/*
 * D has C's first kind of comment only.
 * @needs: root
 */
// a comment of C++
BEGIN { }
