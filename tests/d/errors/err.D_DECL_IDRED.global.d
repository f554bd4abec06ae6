/*
 * A global declared twice, differently.
 * @args: -x errtags -e
 * @exit: 1
 */
int x;
char x;
BEGIN { }
