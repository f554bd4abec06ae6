/*
 * Pointer arithmetic counts elements.
 * @needs: root syscall
 * @args: -q -c 'sh -c "echo ABCDEFGHIJKLMNO >/dev/null"'
 */
syscall::write:entry
/pid == $target && arg2 == 16/
{
	this->s = (uint16_t *)copyin(arg1, 16);
	this->q = this->s;
	printf("%x %x %x\n", *this->s, *(this->s + 1), this->s[2]);
	this->q++;
	printf("%x %d\n", *this->q, this->q - this->s);
	this->q += 3;
	printf("%x %d %d\n", *this->q, this->q - this->s, (uint64_t)this->q - (uint64_t)this->s);
	printf("%x %d %d\n", *(this->q - 1), this->q > this->s, this->q == &this->s[4]);
	printf("%x %x\n", *(uint8_t *)(this->s + 1), ((uint8_t *)this->s)[3]);
	printf("%x\n", *--this->q);
}
