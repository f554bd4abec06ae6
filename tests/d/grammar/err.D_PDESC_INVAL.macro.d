/*
 * A description's macro has no value.
 * @needs: root
 */
syscall::$1:entry { }
