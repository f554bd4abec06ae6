# stop() holds the process where it is until somebody lets it go on.
# @needs: root syscall getppid
cat > stop.d <<'EOF'
int n, stopped;

syscall::getppid:entry
/pid == $target && execname == "getppid" && !stopped++/
{
	printf("%d\n", pid);
	stop();
}

syscall::getppid:return
/pid == $target && execname == "getppid"/
{
	n++;
}

END
{
	printf("%d calls\n", n);
}

EOF
dtrace -q -w -c 'sh -c "exec getppid 5 >/dev/null"' -s stop.d > out 2> err &
for i in $(seq 1 300); do
	pid=$(head -n 1 out)
	[ -n "$pid" ] && grep -q '^State:.T' /proc/$pid/status && break
	sleep 0.1
done
grep -o '^State:.T' /proc/$pid/status | tr '\t' ' '
kill -CONT $pid
wait $!
tail -n 1 out
cat err
