# No page class is wrong: page by page what the kernel itself says, under a load that lasts longer than the comparison.
# @where: guest
# @needs: root /proc/kpageflags /proc/kpagecount
# @timeout: 900
load 880 > load.out 2> load.err &
load=$!
for try in $(seq 1 100); do [ -d /tmp/load-$load ] && break; sleep 0.1; done
# A page that is called wrong stays so in a second comparison of five passes, too. Of 6.12 one was seen twice, in some twenty runs,
# that was not: not understood yet.
for try in 1 2; do
	lkd selftest classes 5 > table
	status=$?
	[ $status = 0 ] && break
	cat table >&2
done
kill -0 $load || { echo "the load ended before the comparison"; cat load.err; exit 1; }
kill $load
wait $load 2> /dev/null
rm -rf /tmp/load-$load
[ $status = 0 ] || { cat table; exit 1; }
# Seen in number, not just once: kind, pages that agree, of these tails of compound pages, pages wrong again and again.
awk '
	function seen(kind, wanted, is) { print kind ": " (is >= wanted ? "many" : is " only") }
	$1 == "slab" { seen("slab", 1000, $2); seen("slab tails", 200, $3) }
	$1 == "buddy" { seen("buddy", 10000, $2) }
	$1 == "page" { seen("page table", 100, $3) }
	$1 == "anonymous" { seen("anonymous", 1000, $2) }
	$1 == "file" { seen("file", 500, $2) }
	$1 == "(nothing)" { seen("(nothing)", 1000, $2) }
	$NF ~ /^[0-9]+$/ && NF >= 5 { again += $NF }
	END { print "wrong again and again: " again + 0 }
' table
tail -n 1 table
