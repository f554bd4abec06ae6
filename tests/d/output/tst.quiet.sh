# -q: nothing but what the script traces.
# @needs: root
exec dtrace -q -c 'sh -c "exit 1"' -n 'BEGIN { } END { printf("only\n"); }'
