# Timers that are named in a description appear in the list.
# @needs: root
dtrace -l -n 'profile:::tick-7ms' -n 'profile:::profile-123' | sed 's/^ *[0-9][0-9]* */N /'
