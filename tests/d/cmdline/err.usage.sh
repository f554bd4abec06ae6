# Without probes: a sentence, the usage, status 2.
# @exit: 2
exec dtrace -q
