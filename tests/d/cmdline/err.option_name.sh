# -x with a name that is none: the nearest is named.
# @exit: 1
exec dtrace -x bufsiz=4m -n BEGIN
