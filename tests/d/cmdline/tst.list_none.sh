# -l of what is not there: the header, a sentence, status 1.
# @needs: root
# @exit: 1
exec dtrace -l -n 'nonesuch:::'
