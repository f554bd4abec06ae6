# -p of a process that is not there.
# @needs: root
# @exit: 1
exec dtrace -p 4194300 -n BEGIN
