# Generated predicates and sums: hundreds of operators in a row are no nesting. (Linux 6.1's verifier gives up at some 300 of
# these in a predicate before as many in the clause; 6.18's does not.)
# @needs: root
{
	printf 'int x; BEGIN /pid == 0'
	seq 1 200 | sed 's/.*/|| pid == -&/' | tr '\n' ' '
	printf '|| pid/ { x = 0'
	seq 1 700 | sed 's/.*/+ & + x/' | head -390 | tr '\n' ' '
	printf '; printf("%%d\\n", x); exit(0); }'
} > long.d
exec dtrace -q -s long.d
