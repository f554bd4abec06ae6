/*
 * #pragma D option quiet: neither header nor "matched" line.
 * @needs: root
 */
#pragma D option quiet

BEGIN
{
	trace("only this");
	exit(0);
}
