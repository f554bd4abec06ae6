# -x of what is not built.
# @exit: 1
exec dtrace -x ctypes=x -n BEGIN
