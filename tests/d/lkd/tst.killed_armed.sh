# kill -9 of dtrace while it waits for its probe: no writer, no program, no file stays, and the probe's place runs on.
# @where: guest
# @needs: root syscall
# @timeout: 300
. "$DIR/common.sh"
mkdir -m 700 reports
programs > before
dtrace -q -w -x lkdpath=$T/reports -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xdeadbeef/ { lkd(0); }' > out 2> err &
pid=$!
until_so holds begin out || { cat err; exit 1; }
echo "writers: $(writers)"
programs > armed
new_in before armed > loaded && echo "programs are loaded"
kill -KILL $pid
wait $pid 2> /dev/null
until_so no_writers && echo "no writer"
no_program() { programs > after; ! grep -q -x -F -f loaded after; }
until_so no_program && echo "no program"
seeker 1 && echo runs
listing reports
