# A reader that stands still: the first signal detaches the probes, the second gives the output up, and tells how much.
# @needs: root syscall
# @exit: 1
mkfifo pipe
sleep 60 < pipe &
reader=$!
dtrace -w -n 'tick-10ms { printf("%0*d\n", 4000, 1); }' > pipe 2> err &
pid=$!
for i in $(seq 1 400); do grep -q allowing err && break; sleep 0.05; done
sleep 2
kill -TERM $pid
sleep 1
kill -0 $pid && echo "waits for the reader"
kill -TERM $pid
for i in $(seq 1 400); do kill -0 $pid 2> /dev/null || break; sleep 0.05; done
kill -0 $reader && echo "ended before it"
kill $reader
wait $pid
status=$?
grep -v -e matched -e allowing err
exit $status
