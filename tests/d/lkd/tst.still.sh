# All CPUs stand still at the probe under load: from a system call, a kernel function, BEGIN, END, a tick and a profile probe. A
# host may keep a CPU from coming in time, so each has a few attempts. The readers judge two of the dumps.
# @where: guest
# @needs: root syscall fbt profile
# @timeout: 1500
. "$DIR/common.sh"
consistent() {
	name=$1
	shift
	for attempt in 1 2 3 4 5; do
		rm -rf reports
		mkdir -m 700 reports
		load 12 > load.out 2>&1 &
		load=$!
		dtrace -w -x lkdpath=$T/reports -x lkdmaxpause=5s -x lkdbuf=256m "$@" > out 2> err || { cat err; return 1; }
		wait $load
		grep -q ', consistent$' err || { grep 'live dump' err >&2; continue; }
		echo "$name: consistent"
		case $name in
		syscall | profile) leave reports/DTRACE-*/vmcore still_$name.kdump ;;
		esac
		return 0
	done
	echo "$name: never consistent"
}
consistent syscall -c 'seeker 2' -n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(0); exit(0); }'
consistent fbt -c 'seeker 2' -n 'fbt::generic_file_llseek_size:return /pid == $target && arg1 == 0xc0000001/ { lkd(0); exit(0); }'
consistent BEGIN -n 'BEGIN { lkd(0); exit(0); }'
consistent END -n 'BEGIN { exit(0); } END { lkd(0); }'
consistent tick -n 'tick-100ms { lkd(0); exit(0); }'
consistent profile -n 'profile-97 { lkd(0); exit(0); }'
