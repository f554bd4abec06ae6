/*
 * Four fields and no more.
 * @needs: root
 */
a:b:c:d:e { }
