/*
 * A name that is both a variable and an enumerator.
 * @args: -x errtags -e
 * @exit: 1
 */
enum side { LEFT };
struct s { enum side side; };
int LEFT;
BEGIN { x = ((struct s *)0)->side == LEFT; }
