/*
 * A script that records nothing prints nothing, not even the header.
 * @needs: root
 * @args: -c 'sh -c "exit 0"'
 */
BEGIN
{
	x = 1;
}
