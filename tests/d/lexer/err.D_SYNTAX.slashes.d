/*
 * D has C's first kind of comment only.
 * @args: -x errtags -e
 * @exit: 1
 */
// a comment of C++
BEGIN { }
