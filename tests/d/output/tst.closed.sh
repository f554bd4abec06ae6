# So does one that was never there.
# @needs: root
dtrace -q -n 'tick-1ms { printf("line\n"); }' 2> err | true
cat err
