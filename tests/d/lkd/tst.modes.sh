# A dump holds secrets: it and its directory are its owner's alone, whatever the umask.
# @where: guest once
# @needs: root syscall
# @timeout: 300
umask 0
dtrace -q -w -x lkdpath=$T/new/reports -c 'seeker 1' -n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(0); }' 2> err || { cat err; exit 1; }
stat -c '%a %u %F' new/reports new/reports/DTRACE-* new/reports/DTRACE-*/vmcore
