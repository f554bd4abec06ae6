# A dump is whole as it was written, and lkd verify says so; a few bytes changed, or the end cut off, and it says where.
# @where: guest once
# @needs: root syscall lkd
# @timeout: 600
. "$DIR/common.sh"
mkdir -m 700 reports
dtrace -q -w -x lkdpath=$T/reports -x lkdmaxpause=5s -x lkdbuf=256m -c 'seeker 1' -n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(0); }' || exit 1
dump=$(echo reports/DTRACE-*/vmcore)
numbers() { sed 's/0x[0-9a-f]*/N/g; s/[0-9][0-9]*/N/g'; }

lkd verify reports/DTRACE-* > told
echo "untouched: status $?"
numbers < told

size=$(stat -c %s $dump)
cp $dump changed
printf 'changed by a test' | dd of=changed bs=1 seek=$((size / 8192 * 4096 + 100)) conv=notrunc 2> /dev/null
lkd verify changed > told
echo "changed: status $?"
grep -c 'at 0x[0-9a-f]*: 4096 bytes of page data are not as they were written$' told
grep -q '^changed: page frame 0x[0-9a-f]* at 0x[0-9a-f]*: ' told && echo "pages are named"
tail -n 1 told | numbers

cp $dump header
printf 'changed' | dd of=header bs=1 seek=0 conv=notrunc 2> /dev/null
lkd verify header > told
echo "no header: status $?"
numbers < told

cp $dump cut
dd if=/dev/null of=cut bs=1 seek=$((size - 5000)) 2> /dev/null
lkd verify cut > told
echo "cut off: status $?"
grep 'cut off' told | numbers
tail -n 1 told | numbers

lkd verify /etc/passwd
echo "no dump: status $?"
leave $dump verified.kdump
