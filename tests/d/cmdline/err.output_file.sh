# -o in a directory that is not there.
# @needs: root
# @exit: 1
exec dtrace -o no/such/dir/file -n 'BEGIN { exit(0); }'
