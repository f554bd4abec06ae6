# Flags that only the run can know: wrong ones are refused and counted, no dump is taken.
# @where: guest once
# @needs: root syscall
# @timeout: 120
mkdir -p reports
dtrace -w -x lkdpath=$T/reports -c 'seeker 2' -n 'int bad; BEGIN { bad = 8; } syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(bad); }' > out 2> err || { cat err; exit 1; }
ls reports | wc -l | tr -d ' '
grep -c "refused: its argument is none of 0, 1, 2, 4 and 5" err
