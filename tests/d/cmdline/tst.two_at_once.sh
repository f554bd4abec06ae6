# Two tracers at the same time see the same calls.
# @needs: root syscall getppid
mkfifo go
sh -c 'read x < go; exec getppid 100 > /dev/null' &
target=$!
dtrace -q -p $target -n "uint64_t n; syscall::getppid:entry /pid == \$target && execname == \"getppid\"/ { n++; } BEGIN { printf(\"ready\\n\"); } END { printf(\"%d\\n\", n); }" > one &
one=$!
dtrace -q -p $target -n "uint64_t n; syscall::getppid:entry /pid == \$target && execname == \"getppid\"/ { n++; } BEGIN { printf(\"ready\\n\"); } END { printf(\"%d\\n\", n); }" > two &
two=$!
for i in $(seq 1 200); do grep -q ready one && grep -q ready two && break; sleep 0.1; done
sleep 0.2
echo > go
wait $one $two
tail -n 1 one
tail -n 1 two
