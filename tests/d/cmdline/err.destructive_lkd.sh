# lkd() is destructive too.
# @needs: root syscall
# @exit: 1
exec dtrace -n 'syscall::lseek:return { lkd(); }'
