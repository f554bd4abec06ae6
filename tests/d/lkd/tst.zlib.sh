# A dump with zlib, which the readers judge.
# @where: guest once
# @needs: root syscall makedumpfile
# @timeout: 600
. "$DIR/common.sh"
mkdir -m 700 reports
dtrace -q -w -x lkdpath=$T/reports -x lkdformat=kdump-zlib -x lkdmaxpause=5s -x lkdbuf=256m -c 'seeker 1' -n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(0); }' || exit 1
listing reports
opens reports/*/vmcore
leave reports/*/vmcore zlib.kdump
