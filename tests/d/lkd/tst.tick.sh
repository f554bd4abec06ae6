# lkd() on a timer: the thread that is held is dtrace's own, which fires ticks.
# @where: guest
# @needs: root
# @timeout: 300
mkdir -p reports
dtrace -q -w -x lkdpath=$T/reports -n 'tick-100ms { lkd(0); exit(0); }' || exit 1
ls reports | wc -l | tr -d ' '
