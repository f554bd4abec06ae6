# Without BTF, or with one that is none, the syscall provider is absent and says why; the rest goes on.
# @where: host
# @needs: root unshare
# @exit: 1
exec unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf
	dtrace -l | grep -c "^ *[0-9]* *syscall"
	dtrace -qn "BEGIN { printf(\"%d\n\", pid > 0); exit(0); }"
	dtrace -n syscall::getppid:entry 2>&1 | grep note
	echo junk > /sys/kernel/btf/vmlinux
	exec dtrace -l -P syscall > /dev/null'
