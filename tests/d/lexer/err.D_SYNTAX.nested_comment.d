/*
 * Comments do not nest.
 * @args: -x errtags -e
 * @exit: 1
 */
/* one /* two */ BEGIN { }
