# A destructive action without -w: DTrace's words, and nothing is enabled.
# @needs: root syscall
# @exit: 1
exec dtrace -n 'syscall::lseek:entry { stop(); }'
