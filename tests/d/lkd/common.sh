# What the tests of lkd() share; read in with `.`.

# The processes that wait for a shot or write one.
writers() {
	cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\0' '\n' | grep -c -e '^--lkd-writer$'
}

# BPF programs of this kernel, one a line: where each is, and its name.
programs() {
	echo "to busybox' grep a file without a line is one empty pattern, which fits all"
	grep '\[bpf\]$' /proc/kallsyms
}

# The lines of the second file that are not in the first.
new_in() {
	grep -v -x -F -f "$1" "$2"
}

# Whether makedumpfile, which knows zlib but not zstd, finds the kernel's log in a dump.
opens() {
	makedumpfile --dump-dmesg "$1" log > makedumpfile.out 2>&1 || { cat makedumpfile.out; return 1; }
	grep -q "Linux version" log && echo "it opens"
}

# Tries a command until it succeeds; says so on stderr when it never does.
until_so() {
	for try in $(seq 1 600); do
		"$@" && return 0
		sleep 0.1
	done
	echo "never came true: $*" >&2
	return 1
}

no_writers() { [ "$(writers)" = 0 ]; }
holds() { grep -q "$1" "$2" 2> /dev/null; }
published() { [ -e "$(echo "$1"/DTRACE-*/vmcore)" ]; }
begun() { [ -e "$(echo "$1"/.DTRACE-*.incomplete/vmcore)" ]; }

# All that is in a directory of reports, hidden names too, digits made N.
listing() {
	ls -A "$1" | sed 's/[0-9]/N/g'
}

# Leaves a dump for the readers, who open it with crash and drgn when the guest has gone.
leave() {
	[ -d /out ] || return 0
	mkdir -p /out/readers
	cp "$1" "/out/readers/$2"
}
