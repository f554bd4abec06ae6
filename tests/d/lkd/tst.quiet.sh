# Under -q a dump is taken without a word.
# @where: guest once
# @needs: root syscall
# @trigger: seeker
# @timeout: 300
mkdir -p reports
dtrace -q -w -x lkdpath=$T/reports -n 'syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' || exit 1
ls reports | wc -l | tr -d ' '
