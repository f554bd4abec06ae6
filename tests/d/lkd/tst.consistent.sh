# Under a storm, a dump that calls itself consistent breaks no claim that holds at every instant; a live dump of the same guest by
# makedumpfile, which stops nobody, breaks some. The readers judge ours again.
# @where: guest
# @needs: root syscall makedumpfile /proc/kallsyms /proc/kcore
# @timeout: 1500
. "$DIR/common.sh"
storm 1400 "$T/planted" > storm.out 2> storm.err &
storm=$!
until_so [ -e planted ] || { cat storm.err; exit 1; }
# A dump at a probe, of which the message says what.
take() {
	for attempt in 1 2 3 4 5; do
		rm -rf reports
		mkdir -m 700 reports
		dtrace -w -x lkdpath="$T/reports" -x lkdmaxpause=5s -x lkdbuf=256m -n "$1 { lkd(0); exit(0); }" > out 2> err || { cat err; exit 1; }
		dump=$(echo reports/DTRACE-*/vmcore)
		grep -q "^dtrace: live dump .*, $2" err && return 0
		grep '^dtrace: live dump' err >&2
	done
	echo "never said to be $2"
	exit 1
}
take syscall::close:return 'consistent$'
lkd selftest invariants "$dump" --planted planted > judged || { cat err judged; exit 1; }
echo "consistent: $(grep -c '^ok ' judged) claims hold, $(grep -c '^skipped ' judged) not judged"
leave "$dump" consistent.kdump
[ -d /out ] && cp planted /out/readers/consistent.planted
makedumpfile --message-level 0 -c -d 31 /proc/kcore peer > peer.out 2>&1 || { cat peer.out; exit 1; }
lkd selftest invariants peer --planted planted > judged && { cat judged; exit 1; }
echo "makedumpfile: $(grep -q '^FAILED ' judged && echo claims are broken)"
kill -0 $storm || { echo "the storm ended before the dumps"; cat storm.err; exit 1; }
kill $storm
wait $storm 2> /dev/null
rm -rf /tmp/storm-*
