# A target that is mounted read-only is refused when arming; one that becomes so later fails the dump.
# @where: guest once
# @needs: root syscall
# @timeout: 300
. "$DIR/common.sh"
mkdir target
mount -t tmpfs -o mode=700,size=200m,ro tmpfs target || exit 77
trap 'umount $T/target' EXIT

dtrace -q -w -x lkdpath=$T/target -n 'syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' 2> err
echo "read-only: status $?"
cat err

mount -o remount,rw $T/target || exit 1
dtrace -q -w -x lkdpath=$T/target -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out 2> err &
pid=$!
until_so holds begin out || { cat err; exit 1; }
mount -o remount,ro $T/target || exit 1
seeker 1
wait $pid
echo "read-only later: status $?"
cat err
until_so no_writers
listing target
