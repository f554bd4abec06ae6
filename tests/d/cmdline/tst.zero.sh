# -Z: descriptions that match nothing are no error.
# @needs: root
exec dtrace -Z -n 'nonesuch:::, BEGIN { trace(1); exit(0); }'
