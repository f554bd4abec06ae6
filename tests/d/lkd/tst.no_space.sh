# A target that is too full when arming is refused; one that fills up later fails the dump. Nothing half-written stays.
# @where: guest once
# @needs: root syscall
# @timeout: 300
. "$DIR/common.sh"
mkdir full filled
mount -t tmpfs -o mode=700,size=1m tmpfs full || exit 77
mount -t tmpfs -o mode=700,size=200m tmpfs filled || exit 77
trap 'umount $T/full $T/filled' EXIT

dtrace -q -w -x lkdpath=$T/full -n 'syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' 2> err
echo "too full: status $?"
cat err
listing full

dtrace -q -w -x lkdpath=$T/filled -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out 2> err &
pid=$!
until_so holds begin out || { cat err; exit 1; }
dd if=/dev/zero of=filled/filler bs=1M > dd.out 2>&1
dd if=/dev/null of=filled/filler bs=1M seek=199 > dd.out 2>&1
seeker 1
wait $pid
echo "filled later: status $?"
cat err
until_so no_writers
listing filled
