# -p: dtrace ends when the process does.
# @needs: root syscall
mkfifo go
sh -c 'read x < go; exit 6' &
target=$!
dtrace -p $target -n 'syscall::exit_group:entry /pid == $target/ { trace(arg0); } BEGIN { printf("begin"); }' > out &
for i in $(seq 1 200); do grep -q begin out && break; sleep 0.1; done
echo > go
wait $!
awk 'NR == 3 { print $3, $4 }' out
