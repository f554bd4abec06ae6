# The directory for dumps goes away after the script was armed: the run fails and says which, and the machine has stood still for nothing.
# @where: guest once
# @needs: root syscall
# @timeout: 300
. "$DIR/common.sh"
mkdir -m 700 reports
dtrace -q -w -x lkdpath=$T/reports -x lkdmaxpause=5s -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out 2> err &
pid=$!
until_so holds begin out || { cat err; exit 1; }
rmdir reports
seeker 1 || exit 1
wait $pid
echo "status $?"
grep -v '^dtrace: live dump' err
until_so no_writers && echo "no writer"
[ -e reports ] || echo "it is not made again"
