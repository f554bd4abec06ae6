# A computed size of copyin() may be as large as scratchsize says.
# @needs: root syscall
for size in 256 8k; do
	dtrace -q -x scratchsize=$size -n 'syscall::write:entry /pid == $target && arg2 == 400/
		{ this->n = (size_t)300; printf("%d\n", ((char *)copyin(arg1, this->n))[299]); exit(0); }
		ERROR { printf("fault %d\n", arg4); exit(0); }' \
		-c 'sh -c "exec head -c 400 /dev/zero > /dev/null"' 2> /dev/null
done
