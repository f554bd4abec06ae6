# A reader that goes away ends dtrace quietly.
# @needs: root
dtrace -q -n 'tick-1ms { printf("line\n"); }' 2> err | head -n 3
cat err
