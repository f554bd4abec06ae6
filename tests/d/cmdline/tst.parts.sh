# -P, -m and -f complete a description from the left, with a predicate and a body of their own.
# @needs: root syscall
dtrace -e -P dtrace 2>&1
dtrace -e -m dtrace: 2>&1
dtrace -e -f syscall::lseek 2>&1
dtrace -e -f 'syscall::lseek /0/ { trace(1); }' 2>&1
dtrace -e -P 'dtrace { trace(1); }' 2>&1
