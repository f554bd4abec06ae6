/*
 * An inline constant of each kind, in expressions and predicates.
 * @needs: root
 * @args: -q
 */
inline int ANSWER = 42;
inline uint32_t STATUS = 0xc0000001UL;
inline int8_t SMALL = 300;
inline string NAME = "dtrace";
inline int TWICE = ANSWER * 2;

BEGIN
/ANSWER == 42 && execname == NAME/
{
	printf("%d %x %d %s %d\n", ANSWER, STATUS, SMALL, NAME, TWICE);
	printf("%d %d\n", sizeof (STATUS), STATUS > 0);
	exit(0);
}
