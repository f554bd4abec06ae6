/*
 * Comments stand anywhere; C++'s are comments too.
 * @needs: root
 * @args: -q
 */
/* one */ BEGIN /* two */
{
	/* three */ printf(/* four */ "/* text */\n"); /**/
	exit(/***/ 0);
} /* five */
