# lkd(2): a few MB, at one moment, which the readers open as they open a full dump; all stacks are in it. A script may ask for it
# beside another kind. Where interrupts are off it is taken too, and nobody calls it one moment.
# @where: guest
# @needs: root syscall fbt
# @timeout: 600
. "$DIR/common.sh"
# What is told of the shot, and whether its dump is small and whole.
judge() {
	dump=$(echo reports/DTRACE-*/vmcore)
	sed -n 's/^dtrace: live dump \([^)]*)\) at .*, \([0-9]* MB\) copied, \(.*\)/\1: \3/p' err
	lkd verify "$dump" | sed 's/.*: \([a-z]*\): .*/\1/'
	size=$(stat -c %s "$dump")
	[ "$size" -lt "$most" ] && echo "small" || echo "$size bytes"
}
# A minidump of the seeker at its probe, or at what the script says.
take() {
	script=$1
	shift
	rm -rf reports
	mkdir -m 700 reports
	dtrace -w -x lkdpath="$T/reports" -x lkdmaxpause=5s "$@" -c 'seeker 1' -n "$script" > out 2> err || { cat err; exit 1; }
	judge
}
seek_now() { seeker 1 > seeker.out; }
seek='syscall::lseek:return /pid == $target && arg0 == 0xc0000001/'
most=12582912
under_load seek_now -n 'BEGIN { printf("armed\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(2); exit(0); }' || exit 1
judge
leave "$dump" mini.kdump
most=41943040
take "$seek { lkd(2); }" -x lkdformat=elf
leave "$dump" mini.elf
most=12582912
take "int never; $seek { lkd(never ? 0 : 2); }"
take "int sought; $seek { sought = 1; } fbt::enqueue_task_fair:entry /sought/ { lkd(2); exit(0); }"
# A freeze without time for all tasks: they are found and copied after it.
lkd capture --type mini --max-pause 5s -o whole.core > out 2> err || { cat err; exit 1; }
lkd capture --type mini --max-pause 1ms -o late.core > out 2> err || { cat err; exit 1; }
grep -o '1 ms were not enough' err
pages() { lkd verify "$1" | sed -n 's/.*: whole: \([0-9]*\) pages.*/\1/p'; }
whole=$(pages whole.core) late=$(pages late.core)
[ "$late" -gt $((whole * 9 / 10)) ] && echo "what was late is there" || echo "$late of $whole pages"
