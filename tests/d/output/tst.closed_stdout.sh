# A standard output that is closed takes nothing: an error, not silence.
# @needs: root
# @exit: 1
exec dtrace -n 'BEGIN { trace(1); exit(0); }' >&-
