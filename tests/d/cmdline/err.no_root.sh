# Without root: which capabilities are missing, and what to do.
# @needs: root setpriv
# @exit: 1
setpriv --bounding-set -all true 2> /dev/null || { echo "this setpriv takes no capabilities away" >&2; exit 77; }
exec setpriv --bounding-set -all --inh-caps -all dtrace -n 'BEGIN { exit(0); }'
