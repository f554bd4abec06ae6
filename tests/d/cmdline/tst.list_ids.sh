# Numbers are unique in the whole list.
# @needs: root syscall
dtrace -l | awk 'NR > 1 { print $1 }' | sort | uniq -d | wc -l | tr -d ' '
