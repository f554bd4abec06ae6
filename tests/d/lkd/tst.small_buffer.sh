# A buffer that is too small for the kernel: the rest is read after the thread went on, nothing is lost, and it is told.
# @where: guest
# @needs: root syscall makedumpfile
# @timeout: 300
. "$DIR/common.sh"
mkdir -m 700 reports
dtrace -w -x lkdpath=$T/reports -x lkdformat=kdump-zlib -x lkdbuf=1m -x lkdmaxpause=5s -c 'seeker 1' -n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(0); }' > out 2> err || { cat err; exit 1; }
listing reports
grep '^dtrace: live dump' err
grep '^dtrace: wrote' err
opens reports/*/vmcore
