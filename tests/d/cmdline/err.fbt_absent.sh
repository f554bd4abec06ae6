# A provider that this kernel cannot serve says why.
# @where: host
# @needs: root
# @exit: 1
[ -d /sys/kernel/tracing/events/sched ] && { echo "this kernel has fbt" >&2; exit 77; }
exec dtrace -l -P fbt
