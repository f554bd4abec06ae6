# A directory that cannot be written is told.
# @where: guest once
# @needs: root syscall
# @exit: 1
dtrace -w -x lkdpath=/proc/reports -n 'syscall::lseek:return { lkd(0); }' 2> err
status=$?
grep -c '/proc/reports' err
exit $status
