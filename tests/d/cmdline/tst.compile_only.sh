# -e stops before anything is enabled: no output, status 0, even for a destructive script without -w.
# @needs: root syscall
exec dtrace -e -n 'syscall::lseek:entry { raise(9); exit(3); }'
