# kill -9 leaves nothing attached: the traced process runs on, no program of dtrace's stays loaded.
# @needs: root syscall getppid
dtrace -q -n 'syscall::getppid:entry { n++; } BEGIN { printf("begin\n"); }' > out 2> err &
pid=$!
for i in $(seq 1 200); do grep -q begin out && break; sleep 0.05; done
kill -KILL $pid
wait $pid 2> /dev/null
getppid 10 > /dev/null && echo runs
