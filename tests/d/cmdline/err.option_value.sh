# -x with a value that is none.
# @exit: 1
exec dtrace -x bufsize=lots -n BEGIN
