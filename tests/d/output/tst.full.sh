# A full disk is told, and the status says so.
# @needs: root /dev/full
# @exit: 1
exec dtrace -q -o /dev/full -n 'BEGIN { printf("line\n"); exit(0); }'
