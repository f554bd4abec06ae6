# What is larger than there is is lowered, and said to be.
# @needs: root
exec dtrace -x stackframes=500 -x stackindent=99999999 -n 'BEGIN { exit(0); }' > /dev/null
