# A script that may not be read.
# @needs: root setpriv
# @exit: 1
echo 'BEGIN { exit(0); }' > secret.d
chmod 000 secret.d
setpriv --bounding-set -all true 2> /dev/null || { echo "this setpriv takes no capabilities away" >&2; exit 77; }
exec setpriv --bounding-set -all --inh-caps -all dtrace -s secret.d
