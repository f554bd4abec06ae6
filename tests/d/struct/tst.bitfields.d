/*
 * Bit-fields of a struct of D, signed and unsigned, across bytes, after a zero-width one. The values are a C compiler's.
 * @needs: root syscall
 * @args: -q -c 'sh -c "echo ABCDEFGHIJKLMNO >/dev/null"'
 */
struct bits {
	unsigned a : 3;
	unsigned b : 5;
	int c : 4;
	int d : 12;
	unsigned : 0;
	unsigned e : 31;
	int f : 1;
	uint64_t g : 40;
	uint64_t h : 24;
};

syscall::write:entry
/pid == $target && arg2 == 16/
{
	this->b = (struct bits *)copyin(arg1, 16);
	printf("%d %d %d %d\n", this->b->a, this->b->b, this->b->c, this->b->d);
	printf("%d %d %d %d %d\n", this->b->e, this->b->f, this->b->g, this->b->h, sizeof (struct bits));
}
