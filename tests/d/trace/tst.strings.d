/*
 * Strings are two columns in and 33 wide.
 * @needs: root
 */
BEGIN
{
	trace("short");
	trace(probename);
	trace("longer than thirty-three characters, this");
	exit(0);
}
