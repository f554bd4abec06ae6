# A dump from a profile probe, in the middle of whatever ran, which the readers judge.
# @where: guest
# @needs: root profile
# @timeout: 300
. "$DIR/common.sh"
mkdir -m 700 reports
dtrace -w -x lkdpath=$T/reports -x lkdmaxpause=5s -x lkdbuf=256m -n 'profile-97 { lkd(0); exit(0); }' 2> err || { cat err; exit 1; }
listing reports
grep '^dtrace: live dump' err
leave reports/*/vmcore profile.kdump
