/*
 * An array cannot be a variable's value; stringof() makes a string of it.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN
{
	x = curthread->comm;
}
