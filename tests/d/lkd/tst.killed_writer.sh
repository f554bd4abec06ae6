# kill -9 of the writer while it writes: dtrace says so and fails, no dump is seen, and the next run sweeps up what was left.
# @where: guest once
# @needs: root syscall
# @timeout: 600
. "$DIR/common.sh"
the_writer() {
	for dir in /proc/[0-9]*; do
		tr '\0' '\n' < $dir/cmdline 2> /dev/null | grep -q -e '^--lkd-writer$' && echo ${dir#/proc/}
	done
}
for attempt in 1 2 3 4 5; do
	rm -rf reports out err
	mkdir -m 700 reports
	dtrace -q -w -x lkdpath=$T/reports -x lkdmaxpause=5s -x lkdbuf=256m -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out 2> err &
	pid=$!
	until_so holds begin out || { cat err; exit 1; }
	writer=$(the_writer)
	seeker 1 || exit 1
	for try in $(seq 1 100000); do begun "$T/reports" && break; [ -d /proc/$pid ] || break; done
	kill -KILL $writer
	wait $pid
	status=$?
	published "$T/reports" || break
done
echo "status $status"
sed -n '/^dtrace: the dump/p' err
listing reports
dtrace -q -w -x lkdpath=$T/reports -n 'syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); } BEGIN { exit(0); }' || exit 1
listing reports
# The second writer was never needed: it ends when it sees its socket close, which dtrace does not wait for.
until_so no_writers
echo "writers: $(writers)"
