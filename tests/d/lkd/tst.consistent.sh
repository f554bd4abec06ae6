# Under a storm, a dump that calls itself consistent breaks no claim that holds at every instant. One that calls itself smeared
# is judged by the same claims, and does.
# @where: guest
# @needs: root /proc/kallsyms
# @timeout: 900
. "$DIR/common.sh"
storm 880 "$T/planted" > storm.out 2> storm.err &
storm=$!
until_so [ -e planted ] || { cat storm.err; exit 1; }
mkdir -m 700 reports
dtrace -w -x lkdpath="$T/reports" -n 'syscall::close:return { lkd(0); exit(0); }' > out 2> err || { cat err; exit 1; }
kill -0 $storm || { echo "the storm ended before the dump"; cat storm.err; exit 1; }
kill $storm
wait $storm 2> /dev/null
rm -rf /tmp/storm-*
dump=$(echo reports/DTRACE-*/vmcore)
lkd selftest invariants "$dump" --planted planted > judged
status=$?
echo "$(grep -c -E '^(ok|FAILED) ' judged) claims judged, $(grep -c '^skipped ' judged) not"
if grep -q '^dtrace: live dump .*, smeared' err; then
	[ $status = 1 ] && echo "as it says"
else
	[ $status = 0 ] && echo "as it says" || { cat err judged; exit 1; }
	leave "$dump" consistent.kdump
	[ -d /out ] && cp planted /out/readers/consistent.planted
fi
