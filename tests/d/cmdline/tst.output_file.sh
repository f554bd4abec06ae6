# -o appends the data to a file; messages stay on stderr.
# @needs: root
echo first > file
dtrace -o file -n 'BEGIN { trace("second"); exit(0); }'
cat file
