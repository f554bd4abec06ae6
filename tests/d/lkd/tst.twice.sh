# A second lkd() of the same script is dropped and counted, its thread goes on.
# @where: guest once
# @needs: root syscall
# @timeout: 300
mkdir -p reports
dtrace -w -x lkdpath=$T/reports -c 'seeker 3' -n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { n++; lkd(0); } END { printf("%d", n); }' > out 2> err || { cat err; exit 1; }
tail -n 1 out | awk '{ print $NF }'
ls reports | wc -l | tr -d ' '
grep -c 'lkd() call.* dropped' err
