# -c of what is not there.
# @needs: root
# @exit: 1
exec dtrace -c /no/such/command -n BEGIN
