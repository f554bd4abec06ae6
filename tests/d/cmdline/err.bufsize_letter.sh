# -b with a value that is none.
# @exit: 1
exec dtrace -b lots -n BEGIN
