# The seed's script: four clauses at each system call's return, and ERROR: "matched 4N + 1 probes", N from dtrace -l.
# @needs: root syscall
n=$(dtrace -l -n 'syscall:::return' | grep -c return)
dtrace -w -e -s "$DIR/../../seed/livedumpstatuscheck.d" 2> err || exit 1
want="dtrace: script '$DIR/../../seed/livedumpstatuscheck.d' matched $((4 * n + 1)) probes"
[ "$(head -n 1 err)" = "$want" ] || { cat err; echo "wanted: $want"; exit 1; }
