# All CPUs stand still at the probe under load: from a system call, a kernel function, END, a tick and a profile probe, also one in user
# code; and from BEGIN, without one. A host may keep a CPU from coming in time, so each has a few attempts. The readers judge two of the
# dumps.
# @where: guest
# @needs: root syscall fbt profile
# @timeout: 1500
. "$DIR/common.sh"
# consistent NAME TRIGGER CLAUSES: TRIGGER leads to the shot.
consistent() {
	name=$1
	for attempt in 1 2 3 4 5; do
		under_load "$2" -n "int loaded; BEGIN { printf(\"armed\\n\"); } $3" || exit 1
		grep -q ', consistent$' err || { grep 'live dump' err >&2; continue; }
		echo "$name: consistent"
		case $name in
		syscall | user) leave reports/DTRACE-*/vmcore still_$name.kdump ;;
		esac
		return 0
	done
	echo "$name: never consistent"
}
seek() { seeker 1 > seeker.out; }
# from the seeker on, which comes when the load runs
then='syscall::lseek:return /arg0 == 0xc0000001/ { loaded = 1; }'
consistent syscall seek 'syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }'
consistent fbt seek 'fbt::generic_file_llseek_size:return /arg1 == 0xc0000001/ { lkd(0); exit(0); }'
consistent END seek 'syscall::lseek:return /arg0 == 0xc0000001/ { exit(0); } END { lkd(0); }'
consistent tick seek "$then tick-100ms /loaded/ { lkd(0); exit(0); }"
consistent profile seek "$then profile-97 /loaded/ { lkd(0); exit(0); }"
# while another CPU is deep in a system call
in_user() {
	dd if=/dev/urandom of=/dev/null bs=1M 2> dd.err &
	trap "kill $!; exit" TERM
	while :; do :; done
}
LOAD=in_user
consistent user seek "$then profile-97 /loaded && arg1/ { lkd(0); exit(0); }"
LOAD=true
consistent BEGIN true 'BEGIN { lkd(0); exit(0); }'
