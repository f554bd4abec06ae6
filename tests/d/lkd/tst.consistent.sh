# Under a storm, a dump that calls itself consistent breaks no claim that holds at every instant; a live dump of the same guest by
# makedumpfile, which stops nobody, breaks some. The readers judge ours again.
# @where: guest
# @needs: root syscall makedumpfile /proc/kallsyms /proc/kcore
# @timeout: 1500
. "$DIR/common.sh"
stormy() {
	until_so [ -e planted ] || { cat "$1"; exit 1; }
}
# A storm takes its file with it where it ends by itself.
over() {
	[ -e planted ] || { echo "the storm ended before the dump"; cat "$1"; exit 1; }
	mv planted of_the_storm
	rm -rf /tmp/storm-*
}
storm 1400 "$T/planted" > storm.out 2>&1 &
storm=$!
stormy storm.out
makedumpfile --message-level 0 -c -d 31 /proc/kcore peer > peer.out 2>&1 || { cat peer.out; exit 1; }
kill $storm
wait $storm 2> /dev/null
over storm.out
lkd selftest invariants peer --planted of_the_storm > theirs
broken=$?
seek_in_the_storm() {
	stormy load.out
	sleep 2
	seeker 1
}
LOAD="storm 1400 $T/planted"
for attempt in 1 2 3 4 5; do
	under_load seek_in_the_storm -n 'BEGIN { printf("armed\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { sought = 1; } syscall::close:return /sought/ { lkd(0); exit(0); }' || exit 1
	over load.out
	grep -q '^dtrace: live dump .*, consistent$' err && break
	grep '^dtrace: live dump' err >&2
done
grep -q '^dtrace: live dump .*, consistent$' err || { echo "never said to be consistent"; exit 1; }
dump=$(echo reports/DTRACE-*/vmcore)
lkd selftest invariants "$dump" --planted of_the_storm > judged || { cat err judged; exit 1; }
# newer kernels (7.3) have no slabs of CPUs, and nothing to say of them
claims=10
grep -q kmem_cache_cpu /sys/kernel/btf/vmlinux || claims=9
[ "$(grep -c '^ok ' judged)" = $claims ] && echo "consistent: all claims hold" || cat judged
leave "$dump" consistent.kdump
[ -d /out ] && cp of_the_storm /out/readers/consistent.planted
[ $broken = 0 ] && cat theirs
echo "makedumpfile: $(grep -q '^FAILED ' theirs && echo claims are broken)"
