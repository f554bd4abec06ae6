# A letter without its value.
# @exit: 2
exec dtrace -n
