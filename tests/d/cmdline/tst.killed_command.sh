# How a command ended is told by the signal's name.
# @needs: root
exec dtrace -n BEGIN -c 'sh -c "kill -9 \$\$"' > /dev/null
