# kill -9 of dtrace while its thread is held: the thread goes on, the writer completes the dump alone.
# @where: guest
# @needs: root syscall makedumpfile
# @timeout: 600
. "$DIR/common.sh"
mkdir -m 700 reports
# Kernel time of a process, in hundredths of a second, by nothing but the shell's own words: the window is short.
kernel_time() {
	read -r stat < /proc/$1/stat || return 1
	set -- $stat
	time=${15}
}
# The window is a part of a second: a few attempts. Each must leave a whole dump, wherever its kill falls.
for attempt in 1 2 3 4 5; do
	rm -rf reports/*
	dtrace -q -w -x lkdpath=$T/reports -x lkdformat=kdump-zlib -x lkdmaxpause=2s -x lkdbuf=256m -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { n++; } syscall::lseek:return /arg0 == 0xc0000001 && n == 20/ { lkd(0); }' > out 2> err &
	pid=$!
	until_so holds begin out || { cat err; exit 1; }
	seeker 30 &
	seeker=$!
	sleep 0.5
	kernel_time $seeker
	limit=$((time + 2))
	# A seek costs no time that the clock would show; being held in one does.
	while kernel_time $seeker 2> /dev/null && [ "$time" -lt $limit ]; do :; done
	kill -KILL $pid
	# Between its seeks the seeker sleeps: where it runs, it has not come back.
	state=gone
	{ read -r state rest < /proc/$seeker/syscall; } 2> /dev/null
	wait $pid 2> /dev/null
	wait $seeker && echo "the thread went on"
	until_so no_writers || exit 1
	published "$T/reports" || { state="killed before the shot"; echo "missed at attempt $attempt: $state" >&2; continue; }
	[ "$state" = running ] && break
	echo "missed at attempt $attempt: state $state" >&2
done > told
[ "$state" = running ] || { echo "five attempts never met a held thread" >&2; exit 77; }
tail -n 1 told
listing reports
cat reports/*/vmcore | head -c 5; echo
opens reports/*/vmcore
leave reports/*/vmcore held.kdump
