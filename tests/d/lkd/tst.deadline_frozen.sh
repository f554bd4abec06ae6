# A deadline that comes while all CPUs stand still and copy: all go on, and what was not copied is told.
# @where: guest once
# @needs: root
# @timeout: 300
freezes() {
	lkd selftest freeze 30 --work copy --buffer 200 --max-pause $1 > out 2> err
	[ -s err ] && cat err
	grep -q '^30 freezes of' out || cat out
}
# The half of what this machine takes at least. Some of these freezes had all CPUs, and no other reason; where others take its CPUs away, once more.
for attempt in 1 2 3 4 5; do
	freezes 5000
	half=$(awk '$1 == "pause" { print int($2 / 2000) }' out)
	[ "$half" -ge 2 ] || { echo "a pause of no time:"; cat out; exit 1; }
	freezes $half
	awk -v limit="$half" '
		$0 ~ "^smeared .* times: " limit " ms were not enough$" { late = $2; next }
		/^smeared .* times: / && !/went on too early/ && $2 > other { other = $2 }
		END { exit !(late > other + 0) }
	' out && { echo "ended by the deadline while all stood still"; exit 0; }
done
cat out
