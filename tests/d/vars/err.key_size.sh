# A key that is too large: what takes the place, and where it stands.
# @needs: root
# @exit: 1
exec dtrace -n 'BEGIN { x["a", 1, "b"] = 1; exit(0); }'
