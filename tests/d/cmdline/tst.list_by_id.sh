# -i takes a number from -l.
# @needs: root syscall
id=$(dtrace -l -n 'syscall::lseek:return' | awk 'NR == 2 { print $1 }')
dtrace -l -i $id | awk 'NR == 2 { print $4, $5 }'
dtrace -l -i 2 | awk 'NR == 2 { print $NF }'
