# More clauses than one program holds: which probe, how many instructions, what to do.
# @needs: root
# @exit: 1
seq 1 3000 | sed 's/.*/BEGIN { printf("%d ", &); }/' > long.d
exec dtrace -q -s long.d
