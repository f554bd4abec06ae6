/*
 * "matched N probes": a clause without if counts once for each probe that it names.
 * @needs: root
 */
BEGIN, END
{
	exit(0);
}

ERROR { }
