# -x lkdpath wants an absolute path.
# @where: guest
# @needs: root syscall
# @exit: 1
exec dtrace -w -x lkdpath=here -n 'syscall::lseek:return { lkd(0); }'
