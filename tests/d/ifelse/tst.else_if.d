/*
 * A chain of else if takes the first that holds.
 * @needs: root
 */
BEGIN
{
	x = 3;
	if (x == 1) {
		trace(1);
	} else if (x == 3) {
		trace(3);
	} else if (x > 2) {
		trace(2);
	} else {
		trace(0);
	}
	exit(0);
}
