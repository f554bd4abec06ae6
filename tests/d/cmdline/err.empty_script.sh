# An empty script.
# @exit: 1
: > empty.d
exec dtrace -e -x errtags -s empty.d
