#!/bin/sh
# Judges the dumps that peers.sh left in DIR, and tells for each tool how many of its dumps break each claim.
# usage: tally.sh DIR [LKD]     (LKD: the program, default `lkd`)
dir=$1 lkd=${2:-lkd} here=$(dirname "$0")
for lime in "$dir"/*.lime; do
	[ -f "$lime" ] && python3 "$here/lime2elf.py" "$lime" "$dir/kcore.head" "${lime%.lime}.dump" && rm "$lime"
done
for dump in "$dir"/*.dump; do
	name=$(basename "$dump" .dump)
	"$lkd" selftest invariants "$dump" --kallsyms "$dir/kallsyms" --planted "$dir/planted" >"$dir/$name.judged" 2>&1
	echo "status $?" >>"$dir/$name.judged"
done
awk '
	FNR == 1 { tool = FILENAME; sub(/.*\//, "", tool); sub(/\.[0-9]+\.judged$/, "", tool); tools[tool]; dumps[tool]++; broken = 0 }
	/^(ok|FAILED|skipped) / { claim = $0; sub(/^[a-zA-Z]* /, "", claim); sub(/:.*/, "", claim); if (!(claim in known)) { known[claim]; order[++claims] = claim } }
	/^FAILED / { failed[tool, claim]++; wrong = $0; sub(/.* compared, /, "", wrong); number[tool, claim] += wrong; broken = 1
		if (sub(/.*\(/, "", wrong)) absent[tool, claim] += wrong }
	/, [0-9]+ excused$/ { excused[tool] += $(NF - 1) }
	/^lkd: / { print FILENAME ": " $0 > "/dev/stderr"; unread[tool]++ }
	/^status / { whole[tool] += !broken && $2 == 0 }
	END {
		for (tool in tools) {
			printf "%s: %d dumps, %d whole, %d could not be judged, %d oddities excused\n", tool, dumps[tool], whole[tool], unread[tool], excused[tool]
			for (at = 1; at <= claims; at++) {
				claim = order[at]
				printf "    %-14s broken in %d, %d violations (%d of them memory that is not there)\n", claim, failed[tool, claim], number[tool, claim], absent[tool, claim]
			}
		}
	}
' "$dir"/*.judged
