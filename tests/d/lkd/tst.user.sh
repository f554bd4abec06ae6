# lkd(1): every page that a process has is in the dump, the triggering one's and another's, of every sort of memory; of the same
# processes lkd(0) has none. Where the buffer is too small the triggering process comes first, and what came late is told. Where
# interrupts are off everything is there, and nobody calls it one moment.
# @where: guest
# @needs: root syscall fbt
# @timeout: 1200
. "$DIR/common.sh"
[ -e /sys/kernel/mm/transparent_hugepage/shmem_enabled ] && echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled
echo 4 > /proc/sys/vm/nr_hugepages
owner table 1100 > owner.out 2>&1 &
owner=$!
until_so [ -e table ] || { cat owner.out; exit 1; }
# A dump of this kind, what is told of it, and of each piece of memory whether it is there.
take() {
	kind=$1 script=$2
	shift 2
	rm -rf reports
	mkdir -m 700 reports
	dtrace -w -x lkdpath="$T/reports" -x lkdmaxpause=5s "$@" -n "$script" > out 2> err || { cat err; exit 1; }
	dump=$(echo reports/DTRACE-*/vmcore)
	sed -n 's/^dtrace: live dump \([^)]*)\) at .*, \([0-9]* MB\) copied, \(.*\)/\1: \3/p' err
	lkd selftest patterns "$dump" table > pieces
	[ $? = 2 ] && { cat pieces; exit 1; }
	awk '
		{ pieces[$1]++; wrong[$1] += $7; late[$1] += $13 }
		$3 == $5 { whole[$1]++ }
		$3 == $9 { none[$1]++ }
		END {
			for (who in pieces) {
				all = whole[who] == pieces[who] ? "all" : none[who] == pieces[who] ? "nothing" : "not all"
				print "  " who ": " all (pieces[who] < 6 ? " of too few pieces" : "") (wrong[who] ? ", some of it wrong" : "") (late[who] ? ", some of it late" : "")
			}
		}
	' pieces | sort
}
seek='syscall::lseek:return /execname == "owner" && arg0 == 0xc0000001/'
take 1 "$seek { lkd(1); exit(0); }" -x lkdbuf=400m
leave "$dump" user.kdump
[ -d /out ] && cp table /out/readers/user.patterns
take 0 "$seek { lkd(0); exit(0); }" -x lkdbuf=400m
# As large as the kernel was just now, with room for the owner and not for all others. What the kernel has grown by since is room that
# the owner lacks: then with more, but never with so much that all fits.
kernel=$(sed -n 's/^dtrace: live dump .*, \([0-9]*\) MB copied.*/\1/p' err)
for room in 20 30 40 50; do
	take 1 "$seek { lkd(1); exit(0); }" -x lkdbuf=$((kernel + room))m | sed '/bystander/s/, some of it late//' > small
	grep -q 'owner: all$' small && break
done
cat small
grep -c 'pages were read after the thread went on' err
take 1 "int sought; $seek { sought = 1; } fbt::enqueue_task_fair:entry /sought/ { lkd(1); exit(0); }" -x lkdbuf=400m
kill -0 $owner || { echo "the owner ended before the dumps"; cat owner.out; exit 1; }
kill $owner
wait $owner 2> /dev/null
true
