# A script that may not be read.
# @needs: root setpriv
# @exit: 1
echo 'BEGIN { exit(0); }' > secret.d
chmod 000 secret.d
# busybox has a setpriv that knows no bounding set.
exec /usr/bin/setpriv --bounding-set -all --inh-caps -all dtrace -s secret.d
