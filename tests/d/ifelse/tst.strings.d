/*
 * Conditions on strings and pointers.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	if (probename == "BEGIN")
		printf("begin ");
	if (probename < "A")
		printf("never ");
	if (curthread)
		printf("thread ");
	if (!curthread) {
		printf("never ");
	} else if (execname == "dtrace") {
		printf("dtrace\n");
	}
	exit(0);
}
