# A signal that was ignored when dtrace was started (nohup) stays ignored.
# @needs: root
trap '' HUP
dtrace -q -n 'BEGIN { printf("begin\n"); } END { printf("end\n"); }' > out 2> err &
pid=$!
for i in $(seq 1 200); do grep -q begin out && break; sleep 0.05; done
kill -HUP $pid
sleep 0.3
cat out
kill -TERM $pid
wait $pid
echo $?
cat out err
