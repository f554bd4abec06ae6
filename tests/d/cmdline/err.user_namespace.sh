# Root of a user namespace has all capabilities there, and none that count.
# @where: host
# @needs: root unshare
# @exit: 1
exec unshare -Ur dtrace -n 'BEGIN { exit(0); }'
