// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* A process' pages, found through its page tables (x86-64: four or five levels) and listed in a lane of their own.
 *
 * The walk keeps no stack of tables.  It knows an address, a table and that table's level: an empty entry moves the address on, an
 * entry that points to a table goes down, and behind a table's end it begins at the top again, for the address where it stands.
 * Each way down looks at the clock, and nobody can extend the deadline.
 *
 * In a freeze the tables stand still.  Where the machine runs on they may be given back and used otherwise while they are walked:
 * so a table is read only where there is memory that was not a process' page, and a page is listed by what its own struct page
 * says. */
#ifndef LKD_WALK_H
#define LKD_WALK_H

/* Bits of an entry. */
#define PTE_PRESENT 0x1ull
#define PTE_LARGE 0x80ull /* above the lowest level: memory, no table */
#define PTE_PROTNONE 0x100ull /* without PRESENT: the page is there, and the process may not touch it */
#define PTE_ADDRESS 0x000ffffffffff000ull

#define WALK_STEPS (1 << 20)
#define TABLE_ENTRIES 512
#define LEVEL_PMD 1
#define LEVEL_PUD 2

/* Pages that are processes'; all others in use are the kernel's own, mapped by a process or not. */
#define USER_CLASSES (1ull << LKD_ANON | 1ull << LKD_FILE | 1ull << LKD_FILE_MAPPED | 1ull << LKD_HUGETLB)

/* What the callbacks get.  All that changes stands in the scratch map (struct lkd_walk), where the verifier knows no value: so every
 * step looks like the one before, and it walks over it once. */
struct walk {
	struct lkd_ctl *c;
	struct lkd_scratch *w;
};

/* What this page frame is; what must not be touched is LKD_OFFLINE or LKD_HWPOISON. */
static __always_inline __u32 walk_class(struct lkd_ctl *c, struct lkd_scratch *w, __u64 pfn)
{
	struct lkd_walk *s = &w->walk;
	__u64 vaddr = c->vmemmap + pfn * PAGE_STRUCT;
	if (PAGE_STRUCT > 128 || bpf_probe_read_kernel(w->head, PAGE_STRUCT, (void *)vaddr))
		return LKD_OFFLINE;
	if (is_poisoned(w->head))
		return LKD_HWPOISON;
	__u64 head = page_head(w->head, vaddr);
	if (head && head == s->head)
		return s->head_class & 15;
	if (head) {
		if (!in_vmemmap(c, head) || bpf_probe_read_kernel(w->head, PAGE_STRUCT, (void *)head))
			return LKD_OFFLINE;
		vaddr = head;
	}
	s->head = vaddr;
	s->head_class = page_class(c, w->head, vaddr);
	return s->head_class & 15;
}

/* Lists a page frame that is mapped, once. */
static __always_inline long walk_frame(struct lkd_ctl *c, struct lkd_scratch *w, __u64 pfn)
{
	__u64 *marks = marks_of(c, pfn);
	if (!marks || *marks & 1ull << (pfn & 63))
		return 0;
	/* A page that does not count its own mappers (of a large folio) looks like one that nobody has mapped.  This one is. */
	if (!((USER_CLASSES >> walk_class(c, w, pfn)) & 1))
		return 0;
	if (!list_once(c, pfn, w->walk.lane & (LKD_LANES - 1)))
		return 0;
	w->walk.status |= LKD_BUFFER_SMALL;
	return 1;
}

/* Entries of the lowest level. */
static long walk_entry(__u32 i, struct walk *s)
{
	__u64 *entries = (__u64 *)s->w->vmemmap;
	__u64 e = entries[(s->w->walk.first + i) & (TABLE_ENTRIES - 1)];
	if (!(e & (PTE_PRESENT | PTE_PROTNONE)))
		return 0;
	/* what a processor must not follow even by guessing has its address inverted */
	if (!(e & PTE_PRESENT))
		e = ~e;
	return walk_frame(s->c, s->w, (e & s->w->walk.address) >> 12);
}

/* Pages of a large one. */
static long walk_run(__u32 i, struct walk *s)
{
	return walk_frame(s->c, s->w, s->w->walk.run + i);
}

static __always_inline int walk_late(struct lkd_walk *s)
{
	if (bpf_ktime_get_ns() <= s->deadline_ns)
		return 0;
	s->status |= LKD_DEADLINE;
	return 1;
}

/* Behind this entry of a table of that level; behind the table's end, the way down begins again. */
static __always_inline void walk_on(struct lkd_walk *s, __u64 level)
{
	__u64 shift = 12 + 9 * (level & 7);
	__u64 next = (s->at >> shift) + 1;
	s->at = next << shift;
	if (next & (TABLE_ENTRIES - 1))
		return;
	s->table = 0;
	if (level == LEVEL_PMD)
		s->pmd = 0;
}

/* One step: an entry, a table of the lowest level, or 512 pages of a large page. */
static long walk_step(__u32 n, struct walk *both)
{
	struct lkd_ctl *c = both->c;
	struct lkd_walk *s = &both->w->walk;
	if (s->status)
		return 1;
	if (s->left) {
		__u64 pages = s->left < TABLE_ENTRIES ? s->left : TABLE_ENTRIES;
		if (walk_late(s))
			return 1;
		bpf_loop(pages, walk_run, both, 0);
		s->run += pages;
		s->left -= pages;
		return 0;
	}
	if (s->at >= s->to)
		return 1;
	if (!s->table) {
		if (walk_late(s))
			return 1;
		s->table = s->pmd ? s->pmd : s->pgd;
		s->level = s->pmd ? LEVEL_PMD : s->top;
	}
	__u64 level = s->level & 7, shift = 12 + 9 * level, pages = (s->to - s->at + 4095) >> 12;
	if (!level) {
		__u64 first = (s->at >> 12) & (TABLE_ENTRIES - 1), entries = TABLE_ENTRIES - first;
		s->first = first;
		if (!bpf_probe_read_kernel(both->w->vmemmap, TABLE_ENTRIES * 8, (void *)s->table))
			bpf_loop(pages < entries ? pages : entries, walk_entry, both, 0);
		/* the whole table is one entry of the one above */
		s->table = 0;
		walk_on(s, LEVEL_PMD);
		return 0;
	}
	__u64 e = 0;
	bpf_probe_read_kernel(&e, 8, (void *)(s->table + ((s->at >> shift) & (TABLE_ENTRIES - 1)) * 8));
	if (e & PTE_LARGE && level <= LEVEL_PUD && e & (PTE_PRESENT | PTE_PROTNONE)) {
		__u64 whole = 1ull << (shift - 12), skip = (s->at >> 12) & (whole - 1);
		if (!(e & PTE_PRESENT))
			e = ~e;
		s->run = (((e & s->address) >> 12) & ~(whole - 1)) + skip;
		s->left = whole - skip < pages ? whole - skip : pages;
		walk_on(s, level);
		return 0;
	}
	__u64 pfn = (e & s->address) >> 12, *marks = marks_of(c, pfn);
	if (!(e & PTE_PRESENT) || !marks || *marks & 1ull << (pfn & 63)) {
		walk_on(s, level);
		return 0;
	}
	s->table = c->page_offset + (pfn << 12);
	s->level = level - 1;
	if (s->level == LEVEL_PMD)
		s->pmd = s->table;
	return 0;
}

/* A function that the verifier walks by itself, once for all who call it. */
__noinline int walk_tables(__u64 pgd, __u64 from, __u64 to, __u32 lane, __u64 deadline_ns)
{
	__u32 key = 0;
	struct walk both = { .c = ctl(), .w = bpf_map_lookup_elem(&lkd_scratch, &key) };
	if (!both.c || !both.w)
		return LKD_DEADLINE;
	struct lkd_walk *s = &both.w->walk;
	int five = both.c->levels == 5;
	__u64 end = 1ull << (five ? 56 : 47);
	s->deadline_ns = deadline_ns;
	s->at = from & ~4095ull;
	s->to = to < end ? to : end;
	s->pgd = pgd;
	s->table = 0;
	s->pmd = 0;
	s->top = five ? 4 : 3;
	s->address = PTE_ADDRESS & ~both.c->sme_mask;
	s->left = 0;
	s->head = 0;
	s->lane = lane;
	s->status = 0;
	/* at least every 512th step looks at the clock */
	if (bpf_loop(WALK_STEPS, walk_step, &both, 0) == WALK_STEPS)
		s->status |= LKD_DEADLINE; /* 2 TB in pages of 4 KiB */
	return s->status;
}

/* Lists the pages that the page tables below pgd (a kernel address) map at the user addresses from..to, and that are a process' own:
 * anonymous, shared, of files.  Gives lkd_status bits: what ended it before all were listed.  By the trigger's CPU. */
static __always_inline __u32 walk_user(struct lkd_ctl *c, __u64 pgd, __u64 from, __u64 to, __u32 lane, __u64 deadline_ns)
{
	return walk_tables(pgd, from, to, lane, deadline_ns);
}

#endif
