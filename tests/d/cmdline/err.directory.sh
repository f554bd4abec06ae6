# A directory is no script.
# @exit: 1
exec dtrace -s /
