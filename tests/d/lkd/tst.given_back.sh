# The buffer goes back to the system piece by piece while the dump is written, not when it is done.
# @where: guest once
# @needs: root syscall
# @timeout: 600
. "$DIR/common.sh"
mkdir -m 700 reports
dtrace -q -w -x lkdpath=$T/reports -x lkdbuf=256m -x lkdmaxpause=5s -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out 2> err &
until_so holds begin out || { cat err; exit 1; }
writer=$(grep -l -a -x -z -e --lkd-writer /proc/[0-9]*/cmdline 2> /dev/null | sed -n 's,/proc/\([0-9]*\)/.*,\1,p' | head -n 1)
# Mappings of maps: of pieces, 4 MB each, but for a dozen.
pieces() { grep -c bpf-map /proc/$writer/maps 2> /dev/null; }
free() { sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo; }
before=$(pieces) free_before=$(free) gained=0
seeker 1 || exit 1
fewest=$before
while [ -d /proc/$writer ]; do
	now=$(pieces)
	[ -n "$now" ] && [ "$now" -gt 0 ] && [ "$now" -lt "$fewest" ] && fewest=$now
	[ "$fewest" -lt $((before / 2)) ] && [ $gained = 0 ] && gained=$(($(free) - free_before))
done
wait
[ "$before" -gt 60 ] && echo "it began with 64 pieces"
[ "$fewest" -lt $((before / 2)) ] && echo "and had given back most before it ended" || echo "$before, at the least $fewest"
# of 128 MB then at least half: the dump itself lies in memory here
[ $gained -gt 65536 ] && echo "the system had the memory" || echo "$gained kB more were free"
ls reports | sed 's/[0-9]/N/g'
