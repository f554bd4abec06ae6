# -x of what is not built.
# @exit: 1
exec dtrace -x nspec=4 -n BEGIN
