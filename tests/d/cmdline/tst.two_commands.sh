# -c given twice: both run, the first is $target, the end comes with the last.
# @needs: root
dtrace -q -n 'BEGIN { printf("%s\n", $target > 1 ? "begin" : "none"); }' -c 'sh -c "echo one > one"' -c 'sh -c "sleep 0.2; echo two > two"' 2> err
cat one two
