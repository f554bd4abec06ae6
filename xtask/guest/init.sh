#!/bin/sh
# The guest's first process: mounts, loads modules, runs one command, tells its status, powers off.
# Three virtio ports lead out of the guest: its stdout, its stderr, and control (lines "ready", "exit N").
# The console carries only the kernel's own words.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for dir in /tmp /run /dev/shm; do mount -t tmpfs tmpfs $dir; done
for type in tracefs:/sys/kernel/tracing debugfs:/sys/kernel/debug bpf:/sys/fs/bpf; do
	mount -t "${type%%:*}" "${type%%:*}" "${type#*:}" 2>/run/mount.log
done
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/run/mount.log

for module in $(cat /lkd/modules); do insmod "/lkd/module/$module.ko"; done

# A port appears a moment after its driver.
port() {
	for try in 1 2 3 4 5 6 7 8 9 10 20 30 40 50 60 70 80 90; do
		for dir in /sys/class/virtio-ports/*; do
			if [ "$(cat "$dir/name" 2>/run/port.log)" = "$1" ]; then
				echo "/dev/${dir##*/}"
				return
			fi
		done
		sleep 0.1
	done
	echo /dev/console
}
disk() {
	for dir in /sys/block/vd*; do
		[ "$(cat "$dir/serial" 2>/run/disk.log)" = "$1" ] && echo "/dev/${dir##*/}"
	done
}
exec 9>"$(port control)"

dev=$(disk share)
[ -n "$dev" ] && mkdir -p /share && mount -t ext4 -o ro "$dev" /share
dev=$(disk out)
if [ -n "$dev" ]; then
	mkdir -p /out /var/lib/lkd
	mount -t ext4 "$dev" /out
	mkdir -p /out/lkd
	mount --bind /out/lkd /var/lib/lkd
fi
hostname guest
ip link set lo up 2>/run/ip.log

# Through pipes, so that a program sees what it sees in a pipeline and may open /dev/stdout again.
mkfifo /run/stdout /run/stderr
cat /run/stdout >"$(port stdout)" &
cat_out=$!
cat /run/stderr >"$(port stderr)" &
cat_err=$!
echo ready >&9
cd /root
sh /lkd/cmd </dev/null >/run/stdout 2>/run/stderr 9>&-
status=$?

# What was started beside the command and outlives it (a dump's writer) may still speak: wait for it, but not for ever.
patience=$(cat /lkd/patience)
while [ "$patience" -gt 0 ] && { [ -d /proc/$cat_out ] || [ -d /proc/$cat_err ]; }; do
	sleep 0.1
	patience=$((patience - 1))
done
sync
[ -n "$dev" ] && { umount /var/lib/lkd; umount /out || mount -o remount,ro /out; } 2>/run/umount.log
echo "exit $status" >&9
poweroff -f
