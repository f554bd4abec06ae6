# SIGTERM ends it as ^C does.
# @needs: root
dtrace -q -n 'BEGIN { printf("begin\n"); } END { printf("end\n"); }' > out 2> err &
pid=$!
for i in $(seq 1 200); do grep -q begin out && break; sleep 0.05; done
kill -TERM $pid
wait $pid
echo $?
cat out err
