/*
 * trace() of the four widths: columns of 3, 5, 8 and 16.
 * @needs: root
 */
BEGIN
{
	trace((uint8_t)200);
	trace((uint16_t)60000);
	trace(-1);
	trace((int64_t)-1);
}

BEGIN
{
	trace(5000000000);
	exit(0);
}
