/*
 * Every mistake is told, not the first alone.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN { x = ; }
END { trace(1; exit(0) }
