# Generated predicates and sums: hundreds of operators in a row are no nesting.
# @needs: root
{
	printf 'int x; BEGIN /pid == 0'
	seq 1 700 | sed 's/.*/|| pid == -&/' | tr '\n' ' '
	printf '|| pid/ { x = 0'
	seq 1 700 | sed 's/.*/+ & + x/' | head -390 | tr '\n' ' '
	printf '; printf("%%d\\n", x); exit(0); }'
} > long.d
exec dtrace -q -s long.d
