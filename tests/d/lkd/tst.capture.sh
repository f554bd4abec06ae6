# `lkd capture`: a dump without a script, as a report or as a file; it prints where, and replaces nothing.
# @where: guest once
# @needs: root makedumpfile
# @timeout: 600
. "$DIR/common.sh"
mkdir -m 700 reports
lkd capture --path "$T/reports" --format kdump-zlib --max-pause 5s --buffer 256m > path 2> err || { cat err; exit 1; }
[ "$(cat path)" = "$(echo "$T"/reports/CAPTURE-*/vmcore)" ] && echo "it printed the report's path"
sed "s,$T,T,; s/[0-9][0-9.]*/N/g; s/N CPU for/N CPUs for/" err
opens "$(cat path)"
lkd verify "$(cat path)" | sed "s,$T,T,; s/[0-9][0-9]*/N/g"
lkd capture -q -o core --format kdump-zlib --max-pause 5s --buffer 256m > where || exit 1
[ "$(cat where)" = "$T/core" ] || exit 1
stat -c %a core
ls -A | grep -c incomplete
rm log
opens core
for type in mini all; do
	lkd capture --type $type -o $type.core --max-pause 5s --buffer 256m > where 2> err || { cat err; exit 1; }
	grep -o 'live dump [^ ]* ([a-z]*)' err
	lkd verify $type.core | sed 's/: [0-9].*//'
	rm $type.core
done
lkd capture -o core > again 2>&1 && exit 1
sed "s,$T,T," again
for bad in '--type full' '-o /' '-o no/such/' '--max-pause 1us' '--max-pause x' '--buffer 1' '--buffer 100000g' '--format lzo' '--path /proc/nowhere'; do
	echo "== $bad"
	lkd capture $bad < /dev/null 2>&1 && exit 1
done 2>&1 | sed "s,$T,T,; s/[0-9][0-9]* MB/N MB/g"
