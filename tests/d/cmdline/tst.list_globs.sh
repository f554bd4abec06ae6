# -l of patterns: each is a row for each probe that matches, in the order of their numbers.
# @needs: root syscall
dtrace -l -n 'syscall::lsee?:' -n 'syscall::ls[a-f]ek:ret*' -n 'dtrace:::E*' | awk '{ print $2, $(NF-1), $NF }'
