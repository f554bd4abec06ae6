# A CPU goes, and one comes, between arming and the shot: those that are there then stand still, and the dump knows which.
# @where: guest
# @needs: root syscall /sys/devices/system/cpu/cpu1/online
# @timeout: 900
. "$DIR/common.sh"
cpu1=/sys/devices/system/cpu/cpu1/online
# shot BEFORE AFTER: CPU 1 is so when the script is armed, and so when it fires.
shot() {
	for attempt in 1 2 3 4 5; do
		rm -rf reports
		mkdir -m 700 reports
		echo "$1" > $cpu1
		dtrace -w -x lkdpath=$T/reports -x lkdmaxpause=5s -x lkdbuf=256m -n 'BEGIN { printf("armed\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out 2> err &
		tracer=$!
		until_so holds armed out || { cat err; exit 1; }
		echo "$2" > $cpu1
		# the CPUs are looked at every second
		sleep 5
		seeker 1 > seeker.out
		wait $tracer || { cat err; exit 1; }
		grep -q ', consistent$' err && break
		grep 'live dump' err >&2
	done
	sed -n 's/.*: \(froze . CPUs*\) for .*, \(consistent\)$/\1, \2/p' err
}
shot 1 0
shot 0 1
