# Two dtraces with lkd() at one probe: each takes its dump or says that it took none; none is lost without a word.
# @where: guest
# @needs: root syscall
# @timeout: 600
. "$DIR/common.sh"
mkdir -m 700 reports
for n in 1 2; do
	dtrace -w -x lkdpath=$T/reports -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out$n 2> err$n &
	eval pid$n=$!
	ready() { holds begin out$1 || [ ! -d /proc/$2 ]; }
	until_so ready $n $! || { cat err$n; exit 1; }
done
seeker 1
wait $pid1; status1=$?
wait $pid2; status2=$?
until_so no_writers
dumps=$(ls reports | wc -l)
refused=$(grep -l 'could not enable tracing: lkd()\|no live dump\|lkd() call.* dropped' err1 err2 | wc -l)
[ "$dumps" -ge 1 ] && echo "a dump"
echo "dumps and refusals: $((dumps + refused))"
for n in 1 2; do
	eval status=\$status$n
	wrote=$(grep -c '^dtrace: wrote' err$n)
	[ "$wrote" = 1 ] && want=0 || want=1
	[ "$status" = "$want" ] || { echo "status $status of:"; cat err$n; }
done
listing reports | sed 's/-N$//' | sort -u
