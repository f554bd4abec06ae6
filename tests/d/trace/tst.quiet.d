/*
 * Under -q trace() prints the bare value.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	trace((uint8_t)200);
	trace(" ");
	trace(-1);
	trace(" ");
	trace((int64_t)-5);
	trace("\n");
	exit(0);
}
