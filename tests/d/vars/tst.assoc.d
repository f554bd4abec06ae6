/*
 * Associative arrays: integer, string and mixed keys; what was never set is 0; ++ and += make an element.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	n[1] = 10;
	n[-1] = 20;
	n[4294967297] = 30;
	s["x"] = 1;
	s["xy"] = 2;
	s[""] = 3;
	m["a", 1] = 11;
	m["a", 2] = 12;
	m["b", 1] = 21;
	t[1, 2, 3, "four"] = "tuple";
	printf("%d %d %d %d\n", n[1], n[-1], n[4294967297], n[2]);
	printf("%d %d %d %d\n", s["x"], s["xy"], s[""], s["y"]);
	printf("%d %d %d %d\n", m["a", 1], m["a", 2], m["b", 1], m["b", 2]);
	printf("<%s> <%s>\n", t[1, 2, 3, "four"], t[1, 2, 3, "five"]);
	c["new"]++;
	c["new"] += 4;
	--c["low"];
	printf("%d %d\n", c["new"], c["low"]);
	exit(0);
}
