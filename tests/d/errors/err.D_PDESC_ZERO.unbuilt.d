/*
 * A provider that DTrace has and this version has not is no spelling mistake.
 * @needs: root
 */
proc:::exec-success
{
}
