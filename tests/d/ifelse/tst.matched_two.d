/*
 * "matched N probes": the hidden ERROR clause is counted once a script; a clause that starts with its if has no part before it.
 * @needs: root
 */
BEGIN
{
	if (1) {
		x = 1;
	}
}

END
/1/
{
	y = 1;
	if (1) {
		x = 1;
	} else {
		x = 2;
	}
}

BEGIN
{
	exit(0);
}
