/*
 * if alone: what is before, inside and after runs in order, each part with a row of its own.
 * @needs: root
 */
BEGIN
{
	x = 1;
	trace("before");
	if (x == 1) {
		trace("inside");
	}
	trace("after");
	exit(0);
}
