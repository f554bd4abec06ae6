# ^C while probes are being attached is heard at once: a second dtrace sends it when the first of many tracepoints is opened
# (bpf's command 17), and counts how many follow.
# @needs: root syscall
dtrace -qw -n 'syscall::bpf:entry /pid == $target && (int)arg0 == 17/ { opened++; }
	syscall::bpf:entry /pid == $target && (int)arg0 == 17 && opened == 1/ { raise(15); }
	END { printf("%s\n", opened >= 1 && opened < 5 ? "heard" : "not heard"); trace(opened); }' \
	-c 'dtrace -q -n "rawtp::: { n++; }"' 2> err
