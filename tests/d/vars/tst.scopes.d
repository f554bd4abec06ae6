/*
 * x, this->x, self->x and an array are four variables.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	x = 1;
	this->x = 2;
	self->x = 3;
	y[0] = 4;
	printf("%d %d %d %d\n", x, this->x, self->x, y[0]);
	exit(0);
}
