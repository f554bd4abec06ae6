# -x with a word that is not among the option's.
# @exit: 1
exec dtrace -x bufpolicy=wrap -n BEGIN
