# An unknown format.
# @exit: 1
exec dtrace -x lkdformat=minidump -n BEGIN
