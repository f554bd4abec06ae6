# An argument that the script never names.
# @needs: root
# @exit: 1
exec dtrace -x errtags -n 'BEGIN { exit(0); }' spare
