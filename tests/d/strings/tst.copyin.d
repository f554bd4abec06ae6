/*
 * copyin brings bytes of the user's memory to where D's pointers read them.
 * @needs: root syscall
 * @args: -q -c 'sh -c "echo ABCDEFGHIJKLMNO >/dev/null"'
 */
syscall::write:entry
/pid == $target && arg2 == 16/
{
	this->p = (char *)copyin(arg1, 16);
	printf("%c%c%c\n", this->p[0], *(this->p + 1), this->p[14]);
	printf("%x %x %x\n", *(uint16_t *)copyin(arg1, 2), *(uint32_t *)copyin(arg1 + 1, 4), *(uint64_t *)copyin(arg1, 8));
	printf("%d\n", this->p[15]);
}
