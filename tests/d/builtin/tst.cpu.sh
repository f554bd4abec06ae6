# cpu is the number that the row shows.
# @needs: root
dtrace -n 'BEGIN { printf("%d\n", cpu); exit(0); }' 2> err | awk 'NR == 2 { if ($1 == $NF) print "same"; else print }'
