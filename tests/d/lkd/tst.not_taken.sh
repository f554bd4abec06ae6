# lkd() in a clause whose predicate never holds: nothing happens, everything is taken down.
# @where: guest once
# @needs: root syscall
# @timeout: 120
mkdir -p reports
dtrace -q -w -x lkdpath=$T/reports -c 'sh -c "exit 0"' -n 'syscall::lseek:return /arg0 == 0xdeadbeef/ { lkd(0); }' || exit 1
ls reports | wc -l | tr -d ' '
