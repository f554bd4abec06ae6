/*
 * Four fields and no more.
 * @args: -x errtags -e
 * @exit: 1
 */
a:b:c:d:e { }
