# -c: the command starts when all is ready, dtrace ends with it, its end is told.
# @needs: root
dtrace -c 'sh -c "exit 0"' -n 'END { trace("end"); }'
dtrace -q -c 'sh -c "echo one  two"' -n 'BEGIN { printf("begin\n"); }'
