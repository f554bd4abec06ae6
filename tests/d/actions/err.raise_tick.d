/*
 * dtrace's own thread runs the clauses of BEGIN, END and tick probes: what acts on the probing thread is refused there.
 * @needs: root
 * @args: -q -w
 */
tick-1s
{
	raise(10);
}
