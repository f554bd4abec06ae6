# An unknown probe.
# @needs: root
# @exit: 1
exec dtrace -n 'syscall::lseekk:entry'
