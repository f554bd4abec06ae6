/*
 * A description's macro has no value.
 * @args: -x errtags -e
 * @exit: 1
 */
syscall::$1:entry { }
