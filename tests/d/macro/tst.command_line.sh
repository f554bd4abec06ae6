# Operands after -n's text are its arguments too.
# @needs: root
exec dtrace -q -n 'BEGIN { printf("%d %s\n", $1, $$2); exit(0); }' 5 five
