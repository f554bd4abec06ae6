# The same of a predicate.
# @needs: root
# @exit: 1
exec dtrace -x errtags -n 'BEGIN /nowhere/ { }'
