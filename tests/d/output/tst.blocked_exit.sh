# exit() takes the probes away although the reader stands still, and everything before it arrives when the reader goes on.
# @needs: root
dtrace -q -n 'int n; tick-10ms { n++; printf("%0*d\n", 4000, n); } tick-10ms /n == 40/ { exit(0); }' 2> err | { sleep 1.5; wc -l; }
cat err
