# lkd() more than once in one firing, in a clause and in the next: the first takes its dump, the others are dropped and counted.
# @where: guest once
# @needs: root syscall
# @timeout: 300
mkdir -m 700 reports
dtrace -w -x lkdpath=$T/reports -c 'seeker 1' -n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(0); lkd(2); } syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(0); n++; } END { printf("%d", n); }' > out 2> err || { cat err; exit 1; }
tail -n 1 out | awk '{ print $NF }'
ls reports | wc -l | tr -d ' '
sed -n "s/^dtrace: \([0-9]* lkd() call.*\)/\1/p; s/^dtrace: \(live dump [^)]*)\) at .*/\1/p" err | sort
