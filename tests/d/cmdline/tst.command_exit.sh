# exit() before the command ends: the command is not left behind.
# @needs: root
dtrace -q -c 'sleep 1000' -n 'BEGIN { printf("%d\n", $target); exit(0); }' > pid
kill -0 $(cat pid) 2> /dev/null || echo gone
