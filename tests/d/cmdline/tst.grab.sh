# -p: dtrace ends when the process does.
# @needs: root syscall
sleep 2 &
dtrace -p $! -n 'syscall::exit_group:entry /pid == $target/ { trace(arg0); }' > out
awk 'NR == 2 { print $3, $4 }' out
