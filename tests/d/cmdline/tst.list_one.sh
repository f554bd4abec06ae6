# -l with -n, -f and -s: the ways to name lseek's probes.
# @needs: root syscall
dtrace -l -n 'syscall::lseek:entry' > n
dtrace -l -f 'syscall::lseek' > f
dtrace -l -n 'syscall:vmlinux:lseek:' > m
echo 'syscall::lseek:entry, syscall::lseek:return { }' | dtrace -l -s - > s
cmp f m && cmp f s && cat n f | sed 's/^ *[0-9][0-9]* */N /'
