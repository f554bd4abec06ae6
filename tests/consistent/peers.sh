#!/bin/sh
# Takes N live dumps (default 3) with lkd and with each peer, in turns, all in one boot and under the same storm, into
# /out/dumps, with what tally.sh needs to judge them.  Peers are what dumps a stock kernel without a module of its own:
# makedumpfile on /proc/kcore, and AVML where it is given.
#
#   cargo xtask guest --append "tsc=reliable transparent_hugepage=never" --share tests/consistent --out DIR --bin makedumpfile [--bin AVML] -- sh /share/peers.sh 3
#   sh tests/consistent/tally.sh DIR/dumps target/release/lkd
out=/out/dumps
exec 3>&1
mkdir -p $out
cat /proc/kallsyms >$out/kallsyms
dd if=/proc/kcore of=$out/kcore.head bs=4096 count=16 2>/dev/null
ip link set lo up
storm 100000 /tmp/planted >/tmp/storm.log 2>&1 &
storm=$!
for try in $(seq 1 600); do [ -f /tmp/planted ] && break; sleep 0.1; done
cp /tmp/planted $out/planted || { cat /tmp/storm.log >&2; exit 1; }
sleep 5

# A name without its ending, and the command that makes the file $into: tells how long it took, drops the file if it is not whole.
take() {
	into=$out/$1
	start=$(cut -d' ' -f1 /proc/uptime)
	shift
	if "$@" >/tmp/log 2>&1; then
		echo "${into##*/}: $start to $(cut -d' ' -f1 /proc/uptime) s, $(($(stat -c %s $into) >> 20)) MB"
	else
		echo "${into##*/}: status $?: $(tail -n 2 /tmp/log)"
		rm -f $into
	fi
	# what was written must not fill the memory that the next one dumps
	sync
	echo 1 >/proc/sys/vm/drop_caches
}

with_lkd() {
	rm -rf /var/lib/lkd/LiveKernelReports
	# an emulated guest is slow, and its kernel is more than the eighth of the free memory that a buffer has by default
	dtrace -w -x lkdformat=kdump-zlib -x lkdbuf=300m -x lkdmaxpause=5s -n 'syscall::close:return{lkd(0);exit(0);}' || return
	grep 'live dump 0x0' /tmp/log >&3
	mv /var/lib/lkd/LiveKernelReports/*/vmcore $into
}

with_makedumpfile() {
	makedumpfile --message-level 0 "$@" /proc/kcore $into
}

with_avml() {
	avml acquire --source /proc/kcore $into
}

for round in $(seq 1 ${1:-3}); do
	take lkd.$round.dump with_lkd
	take makedumpfile-d31.$round.dump with_makedumpfile -d 31
	take makedumpfile-c-d31.$round.dump with_makedumpfile -c -d 31
	# everything but the cache and what is free: the class of user pages, which 1.7.2 mistakes since 6.12, stays in
	take makedumpfile-d23.$round.dump with_makedumpfile -d 23
	[ -x /usr/bin/avml ] && take avml.$round.lime with_avml
done
kill -0 $storm || { echo "the storm was over too early"; cat /tmp/storm.log; exit 1; }
