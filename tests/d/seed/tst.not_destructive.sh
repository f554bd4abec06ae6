# Without the pragma and without -w nothing is enabled, in DTrace's words.
# @needs: root syscall
# @exit: 1
grep -v '^#pragma' "$DIR/../../seed/livedumpstatuscheck.d" > plain.d || exit 2
exec dtrace -s plain.d
