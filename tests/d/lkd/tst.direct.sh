# A dump is written past the page cache (O_DIRECT), behind everybody else: idle I/O class, nice 19.
# @where: guest once
# @needs: root syscall lkd /out
# @timeout: 600
. "$DIR/common.sh"
reports=/out/direct.$$
mkdir -m 700 $reports
trap 'rm -rf $reports' EXIT
dtrace -q -w -x lkdpath=$reports -n 'BEGIN { printf("begin\n"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); exit(0); }' > out 2> err &
pid=$!
until_so holds begin out || { cat err; exit 1; }
writer=$(grep -l -a -e --lkd-writer /proc/[0-9]*/cmdline 2> /dev/null | head -n 1)
writer=${writer%/cmdline}
seeker 1 || exit 1
# Sleeping would miss it.
for try in $(seq 1 100000); do begun $reports && break; [ -d /proc/$pid ] || break; done
for fd in $writer/fd/*; do
	case $(readlink $fd) in */vmcore) cat $writer/fdinfo/${fd##*/} > fdinfo ;; esac
done
cat $writer/stat > stat
ionice -p ${writer#/proc/} > ionice
wait $pid || { cat err; exit 1; }
[ -s fdinfo ] || { echo "the dump was whole before it was looked at" >&2; exit 77; }
# The digit of O_DIRECT in an octal number.
sed -n 's/^flags:[^0-9]*//p' fdinfo | grep -q '[4-7]....$' && echo direct
# The name, which stands in brackets, has no blank in it.
set -- $(cat stat)
echo "nice ${19}"
cat ionice
lkd verify $reports/DTRACE-* | sed 's/.*whole.*/whole/'
