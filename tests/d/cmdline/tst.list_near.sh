# Near names are told.
# @needs: root syscall
# @exit: 1
exec dtrace -l -n 'syscall::lsekk:entry'
