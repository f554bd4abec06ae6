# lkd() is lkd(0): one report in its own directory, whole when it appears, with the story told on stderr.
# @where: guest once
# @needs: root syscall
# @trigger: seeker
# @timeout: 300
mkdir -p reports
dtrace -w -x lkdpath=$T/reports -n 'syscall::lseek:return /arg0 == 0xc0000001/ { printf("seen"); lkd(); exit(0); }' > out 2> err || { cat err; exit 1; }
ls -l reports/DTRACE-*/vmcore | awk '{ print ($5 > 4096) }'
dd if="$(echo reports/DTRACE-*/vmcore)" bs=5 count=1 2> /dev/null; echo
ls reports | sed 's/[0-9]/N/g'
grep '^dtrace: \(description\|allowing\|live dump\)' err
