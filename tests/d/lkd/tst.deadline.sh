# A hold that its deadline ends: the thread goes on, the rest is read behind it, and the dump says so.
# @where: guest
# @needs: root syscall makedumpfile
# @timeout: 300
. "$DIR/common.sh"
mkdir -m 700 reports
dtrace -w -x lkdpath=$T/reports -x lkdformat=kdump-zlib -x lkdmaxpause=1ms -c 'seeker 2' -n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { n++; } syscall::lseek:return /pid == $target && arg0 == 0xc0000001 && n == 1/ { lkd(0); } END { printf("seeks: %d\n", n); }' > out 2> err || { cat err; exit 1; }
grep -o 'seeks: .*' out
listing reports
grep '^dtrace: live dump' err
grep '^dtrace: wrote' err
opens reports/*/vmcore
