# -v tells what each description of a clause matched.
# @needs: root syscall
dtrace -v -e -n 'BEGIN, syscall::lseek: { }' 2>&1
