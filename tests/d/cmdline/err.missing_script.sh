# A script that is not there.
# @needs: root
# @exit: 1
exec dtrace -s no_such_script.d
