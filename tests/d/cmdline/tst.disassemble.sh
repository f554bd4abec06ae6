# -S shows the generated program, -v the counts.
# @needs: root
dtrace -e -S -n 'BEGIN { exit(0); }' 2>&1 | grep -c 'exit$' | awk '{ print ($1 > 0) }'
dtrace -v -n 'BEGIN { exit(0); }' 2>&1 > /dev/null | tail -n 1
