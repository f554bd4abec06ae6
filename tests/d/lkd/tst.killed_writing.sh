# kill -9 of dtrace while the dump is being written: the writer completes it, and it is seen only when it is whole.
# @where: guest once
# @needs: root syscall makedumpfile
# @timeout: 600
. "$DIR/common.sh"
mkdir -m 700 reports
dtrace -q -w -x lkdpath=$T/reports -x lkdformat=kdump-zlib -x lkdmaxpause=5s -x lkdbuf=256m -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out 2> err &
pid=$!
until_so holds begin out || { cat err; exit 1; }
seeker 1 || exit 1
for try in $(seq 1 100000); do begun "$T/reports" && break; [ -d /proc/$pid ] || break; done
kill -KILL $pid
published "$T/reports" && { echo "the dump was whole before the kill" >&2; exit 77; }
listing reports
echo "writers: $(writers)"
wait $pid 2> /dev/null
until_so published "$T/reports" || exit 1
until_so no_writers && echo "no writer"
listing reports
opens reports/*/vmcore
leave reports/*/vmcore killed.kdump
