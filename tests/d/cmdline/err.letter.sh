# An unknown letter.
# @exit: 2
exec dtrace -y
