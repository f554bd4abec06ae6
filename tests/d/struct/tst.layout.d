/*
 * Sizes and offsets of structs declared in D are C's.
 * @needs: root
 * @args: -q
 */
struct inner {
	char c;
	short s;
	long long l;
};

struct outer {
	char first;
	struct inner in;
	union {
		int i;
		char bytes[7];
	};
	struct inner many[3];
	char last;
};

union both {
	char c[9];
	uint64_t q;
};

typedef struct outer outer_t;

enum colour {
	RED,
	GREEN = 5,
	BLUE
};

BEGIN
{
	printf("%d %d %d\n", sizeof (struct inner), offsetof(struct inner, s), offsetof(struct inner, l));
	printf("%d %d %d %d\n", sizeof (outer_t), offsetof(struct outer, in), offsetof(outer_t, bytes), offsetof(outer_t, i));
	printf("%d %d %d\n", offsetof(struct outer, many), offsetof(struct outer, last), offsetof(outer_t, in.l));
	printf("%d %d %d\n", sizeof (union both), offsetof(union both, q), sizeof (enum colour));
	printf("%d %d %d\n", RED, GREEN, BLUE);
	printf("%d %d\n", sizeof (struct list_head), offsetof(struct list_head, prev));
	exit(0);
}
