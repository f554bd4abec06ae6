# A letter of DTrace's that is not built says so.
# @exit: 2
exec dtrace -A -n BEGIN
