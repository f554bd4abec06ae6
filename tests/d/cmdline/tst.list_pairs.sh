# Every system call has an entry and a return, and the list is quick to count: as many of the one as of the other.
# @needs: root syscall
entries=$(dtrace -l -n 'syscall:::entry' | grep -c ' entry$')
returns=$(dtrace -l -n 'syscall:::return' | grep -c ' return$')
[ "$entries" -gt 300 ] || echo "only $entries entries"
[ "$entries" = "$returns" ] || echo "$entries entries, $returns returns"
dtrace -e -n 'syscall:::' 2>&1 | grep -c "matched $((entries + returns)) probes"
