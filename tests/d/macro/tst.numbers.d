/*
 * $1, $2, … are integers or names where a token may stand, $$1 … are strings.
 * @needs: root
 * @args: -q
 * @more: 42 -- -7 BEGIN 0x10 'two words'
 */
$3
/$1 == 42/
{
	printf("%d %d %d\n", $1 + 1, $2 * 2, $4);
	printf("%s|%s|%s|%s\n", $$1, $$2, $$3, $$5);
	printf("%d\n", strlen($$5));
	exit(0);
}
