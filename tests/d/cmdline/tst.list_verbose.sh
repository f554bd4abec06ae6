# -lv shows the arguments' types.
# @needs: root syscall
dtrace -lv -n 'syscall::lseek:entry' | sed 's/^ *[0-9][0-9]* */N /'
