# lkd() at a kernel function's return.
# The readers judge its dump.
# @where: guest
# @needs: root fbt
# @timeout: 300
. "$DIR/common.sh"
mkdir -p reports
dtrace -q -w -x lkdpath=$T/reports -x lkdmaxpause=5s -x lkdbuf=256m -c 'seeker 1' -n 'fbt::generic_file_llseek_size:return /pid == $target && arg1 == 0xc0000001/ { lkd(0); exit(0); }' || exit 1
ls reports | wc -l | tr -d ' '
leave reports/DTRACE-*/vmcore fbt.kdump
