# -s - reads the script from standard input.
# @needs: root
printf '%s\n' 'BEGIN { printf("%s\n", "from stdin"); exit(0); }' | dtrace -q -s -
