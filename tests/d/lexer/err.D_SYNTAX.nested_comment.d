/*
 * Comments do not nest.
 * @needs: root
 */
/* one /* two */ BEGIN { }
