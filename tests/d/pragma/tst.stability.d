/*
 * attributes and binding only rate a name; #line and #ident are taken.
 * @needs: root
 * @args: -q
 */
#ident "a script"
#line 100 "other.d"
#pragma D attributes Stable/Stable/Common x
#pragma D binding "1.0" x

int x;

BEGIN
{
	x = 2;
	printf("%d\n", x);
	exit(0);
}
