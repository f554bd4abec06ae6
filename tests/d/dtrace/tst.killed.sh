# kill -9 leaves nothing attached: the traced process runs on, no program of dtrace's stays loaded.
# @needs: root syscall getppid
# Where the kernel does not tell its BPF programs by name, this cannot be seen.
# (The first line is for busybox' grep, to which a file without a line is one empty pattern, which fits all.)
programs() { echo programs; grep '\[bpf\]$' /proc/kallsyms; }
programs > before
dtrace -q -n 'syscall::getppid:entry { n++; } BEGIN { printf("begin\n"); }' > out 2> err &
pid=$!
for i in $(seq 1 200); do grep -q begin out && break; sleep 0.05; done
programs > during
grep -v -x -F -f before during > loaded
kill -KILL $pid
wait $pid 2> /dev/null
[ -s loaded ] || { echo "/proc/kallsyms does not show BPF programs (net.core.bpf_jit_kallsyms)" >&2; exit 77; }
# The kernel frees a program some time after its last user has gone; others' programs come and go meanwhile.
for i in $(seq 1 200); do
	programs > after
	grep -x -F -f loaded after > left
	[ -s left ] || break
	sleep 0.1
done
cat left
getppid 10 > /dev/null && echo runs
