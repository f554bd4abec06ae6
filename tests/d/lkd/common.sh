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

# Runs dtrace with a script whose BEGIN prints "armed", has all CPUs busy from then until the shot, and waits for dtrace. What $1 runs
# meanwhile leads to the shot. The load ends there: the writer stands back behind whoever wants a CPU.
under_load() {
	trigger=$1
	shift
	rm -rf reports out err
	mkdir -m 700 reports
	dtrace -w -x lkdpath="$T/reports" -x lkdmaxpause=5s -x lkdbuf=256m "$@" > out 2> err &
	tracer=$!
	armed() { holds armed out || [ ! -d /proc/$tracer ]; }
	until_so armed || { kill $tracer; return 1; }
	${LOAD:-load 300} > load.out 2>&1 &
	load=$!
	sleep 1
	$trigger
	shot() { holds '^dtrace: live dump' err || [ ! -d /proc/$tracer ]; }
	until_so shot || kill $tracer
	kill $load 2> kill.err
	wait $load 2> /dev/null
	rm -rf /tmp/load-$load
	wait $tracer || { cat err; return 1; }
}

# Leaves a dump for the readers, who open it with crash and drgn when the guest has gone.
leave() {
	[ -d /out ] || return 0
	mkdir -p /out/readers
	cp "$1" "/out/readers/$2"
}
