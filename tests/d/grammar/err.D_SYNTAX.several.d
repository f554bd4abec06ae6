/*
 * Every mistake is told, not the first alone.
 * @needs: root
 */
BEGIN { x = ; }
END { trace(1; exit(0) }
