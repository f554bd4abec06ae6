/*
 * A struct of D laid over memory: members, nested members, arrays, unions, negative and unaligned numbers.
 * @needs: root syscall
 * @args: -q -c "sh -c 'printf \"\\001\\002\\377\\376\\100\\000\\000\\200ABCDEFGH\\376\\377\\377\\377\" >/dev/null'"
 */
struct point {
	uint8_t x;
	int8_t y;
};

struct record {
	struct point at[2];
	union {
		int32_t number;
		uint8_t bytes[4];
	} u;
	char text[8];
	int minus;
};

syscall::write:entry
/pid == $target && arg2 == 20/
{
	this->r = (struct record *)copyin(arg1, 20);
	printf("%d %d %d %d\n", this->r->at[0].x, this->r->at[0].y, this->r->at[1].x, this->r->at[1].y);
	printf("%d %x %d %d\n", this->r->u.number, this->r->u.number, this->r->u.bytes[0], this->r->u.bytes[3]);
	printf("%c%c %d\n", this->r->text[0], this->r->text[7], this->r->minus);
	printf("%d\n", (&this->r->at[1])->x + (this->r->at + 1)->y);
}
