# The seed's script up to its lkd(0), which the build machine's own memory must not feed: the line is taken out.
# @where: host
# @needs: root syscall
# @trigger: seeker
grep -v 'lkd(0)' "$DIR/../../seed/livedumpstatuscheck.d" > up_to_the_trigger.d || exit 1
exec dtrace -s up_to_the_trigger.d
