// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* A CPU's share of classification: take units until there are none or the time is over; write each page's class, and list the
 * pages to be copied.  Any number of CPUs may run it at once: a unit belongs to whoever took it. */
#ifndef LKD_SCAN_H
#define LKD_SCAN_H

#define CHUNK 64 /* struct pages read at once */
#define FREE8 0x0202020202020202ull
#define OFFLINE8 0x0808080808080808ull
_Static_assert((FREE8 & 0xff) == LKD_FREE && (OFFLINE8 & 0xff) == LKD_OFFLINE, "eight classes at once");

/* What is looked up once, not for every page.  All that changes is in w->scan, where the verifier does not follow it: on the
 * stack it would walk through as many chunks as it can count (v7.3). */
struct scan {
	struct lkd_ctl *c;
	struct lkd_scratch *w;
	__u8 *classes; /* of the unit */
};

/* Until v6.11 unaccepted memory has no page type: it is a block of 1024 pages of which only the first is linked. */
static __always_inline int has_untyped_unaccepted(void)
{
	return bpf_core_field_exists(struct zone, unaccepted_pages) && !bpf_core_enum_value_exists(enum pagetype, PGTY_unaccepted);
}

/* One page, by the only CPU that lists in this lane; it takes just the place that it needs. */
static __always_inline void list_alone(struct lkd_ctl *c, __u64 pfn, __u32 lane)
{
	struct lkd_lane *l = &c->lanes[lane];
	__u64 n = __sync_fetch_and_add(&l->wanted, 1);
	__u32 key = l->base + n;
	__u64 *entry = n < l->room ? bpf_map_lookup_elem(&lkd_list, &key) : 0;
	if (entry)
		*entry = pfn;
	else
		__sync_fetch_and_add(&c->overflow, 1);
}

/* The word with a page's mark; the pages of a word are 64. */
static __always_inline __u64 *marks_of(const struct lkd_ctl *c, __u64 pfn)
{
	__u32 key = pfn >> 6;
	return pfn >> 6 < c->marks ? bpf_map_lookup_elem(&lkd_marks, &key) : 0;
}

static __always_inline int is_marked(const struct lkd_ctl *c, __u64 pfn)
{
	__u64 *word = marks_of(c, pfn);
	return word && ((*word >> (pfn & 63)) & 1);
}

/* One page, unless it has been listed so before.  By the trigger's CPU alone.  True if the lane has no room. */
static __always_inline int list_once(struct lkd_ctl *c, __u64 pfn, __u32 lane)
{
	__u64 *word = marks_of(c, pfn), bit = 1ull << (pfn & 63);
	if (!word || *word & bit)
		return 0;
	struct lkd_lane *l = &c->lanes[lane];
	if (l->wanted >= l->room)
		return 1;
	*word |= bit;
	list_alone(c, pfn, lane);
	return 0;
}

/* Places that a CPU takes at once: all CPUs list, and one word for each page would be what they wait for. */
#define PLACES 64

static __always_inline void list_in(struct lkd_ctl *c, struct lkd_scratch *w, __u64 pfn, __u32 lane)
{
	lane &= LKD_LANES - 1;
	struct lkd_lane *l = &c->lanes[lane];
	__u64 n = w->places[lane].next;
	if (n >= w->places[lane].end) {
		n = __sync_fetch_and_add(&l->wanted, PLACES);
		w->places[lane].end = n + PLACES;
	}
	w->places[lane].next = n + 1;
	__u32 key = l->base + n;
	__u64 *entry = n < l->room ? bpf_map_lookup_elem(&lkd_list, &key) : 0;
	if (entry)
		*entry = pfn;
	else
		__sync_fetch_and_add(&c->overflow, 1);
}

/* The places that were taken and not needed hold no page. */
static long give_back(__u32 i, void *unused)
{
	__u32 key = 0, lane = i / PLACES & (LKD_LANES - 1);
	struct lkd_ctl *c = ctl();
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	if (!c || !w)
		return 1;
	struct lkd_lane *l = &c->lanes[lane];
	__u64 n = w->places[lane].next;
	if (n >= w->places[lane].end)
		return 0;
	w->places[lane].next = n + 1;
	key = l->base + n;
	__u64 *entry = n < l->room ? bpf_map_lookup_elem(&lkd_list, &key) : 0;
	if (entry)
		*entry = LKD_ENTRY_NONE;
	return 0;
}

static __always_inline void list_page(struct lkd_ctl *c, struct lkd_scratch *w, __u64 pfn, __u32 class)
{
	__u32 lane = LKD_LANE_USER;
	if (class == LKD_SLAB || class == LKD_PAGE_TABLE || class == LKD_OTHER)
		lane = LKD_LANE_MUST;
	else if (class == LKD_RESERVED)
		lane = pfn >= c->image_first && pfn < c->image_end ? LKD_LANE_MUST : LKD_LANE_RESERVED;
	else if (class == LKD_REFCOUNT_ZERO)
		lane = LKD_LANE_REFCOUNT_ZERO;
	list_in(c, w, pfn, lane);
}

/* Pages of a free block by its order; the page may just have been taken, and then the word means something else. */
static __always_inline __u64 free_block(__u64 order)
{
	return order <= LKD_UNIT_SHIFT ? 1ull << (order & 15) : 1;
}

static __always_inline int scan_page(struct scan *s, const char *page, __u64 vaddr, __u64 pfn)
{
	struct lkd_ctl *c = s->c;
	struct lkd_scratch *w = s->w;
	struct lkd_scan *t = &w->scan;
	__u8 *class = s->classes + (pfn & (LKD_UNIT_PAGES - 1));
	if (*class == LKD_OWN) {
		w->found[LKD_OWN]++;
		return 0;
	}
	if (pfn < t->skip) {
		*class = LKD_FREE;
		w->found[LKD_FREE]++;
		return 0;
	}
	__u64 head = page_head(page, vaddr);
	__u32 k = t->head_class & 15;
	if (!head || head != t->head) {
		t->head = head ? head : vaddr;
		if (!head) {
			k = page_class(c, page, vaddr);
			/* a free block's length: its head says it, and nothing else marks the pages behind */
			if (k == LKD_FREE) {
				if (PAGE_HALF(page, page_type) != ~0u)
					t->skip = pfn + free_block(PAGE_WORD(page, private));
				else if (has_untyped_unaccepted() && !(pfn & (LKD_UNIT_PAGES - 1)))
					t->unaccepted = 1;
			}
		} else if (!in_vmemmap(c, head) || bpf_probe_read_kernel(w->head, PAGE_STRUCT, (void *)head)) {
			k = LKD_OTHER; /* no such head: in doubt the page is kept */
		} else {
			k = page_class(c, w->head, head);
		}
		t->head_class = k;
	}
	if (head)
		k = tail_class(page, k);
	if (k == LKD_REFCOUNT_ZERO && t->unaccepted)
		k = LKD_OFFLINE;
	if (is_poisoned(page))
		k = LKD_HWPOISON;
	k &= 15;
	*class = k;
	w->found[k]++;
	if ((t->listed >> k) & 1)
		list_page(c, w, pfn, k);
	return 0;
}

/* The pages of processes and files, of which there are most, without the long way of page_class: the class of such a page, or -1
 * for all others.  Agrees with page_class: a page on an LRU list that is not the head of a larger one, and its word for type and
 * map count either says "mapped by nobody" or counts. */
static __always_inline int plain_class(const struct lkd_scan *t, const char *page, __u64 vaddr)
{
	__u64 flags = page_flags(page), mapping = PAGE_WORD(page, mapping), head = page_head(page, vaddr);
	__s32 type = PAGE_HALF(page, page_type);
	if (is_poisoned(page))
		return -1;
	if (head)
		return head == t->head ? (int)tail_class(page, t->head_class) : -1;
	if (!FLAG(flags, PG_lru) || FLAG(flags, PG_head) || FLAG(flags, PG_reserved) || (HAS_FLAG(PG_slab) && FLAG(flags, PG_slab)))
		return -1;
	if (type < -1 || !mapping)
		return -1;
	if (mapping & 1)
		return type == -1 ? -1 : LKD_ANON;
	return type == -1 ? LKD_FILE : LKD_FILE_MAPPED;
}

static long scan_pages(__u32 i, struct scan *s)
{
	struct lkd_ctl *c = s->c;
	struct lkd_scratch *w = s->w;
	struct lkd_scan *t = &w->scan;
	__u8 *classes = s->classes;
	__u64 pfn = t->first + t->offset + (i & (CHUNK - 1));
	/* v6.1's verifier forgets the range of a product, so it is told again, where the compiler cannot drop it */
	__u64 at = (i & (CHUNK - 1)) * PAGE_STRUCT;
	barrier_var(at);
	if (PAGE_STRUCT > 128 || at > (CHUNK - 1) * 128 || pfn >= t->first + t->pages)
		return 1;
	const char *page = w->vmemmap + at;
	__u64 vaddr = c->vmemmap + pfn * PAGE_STRUCT;
	int k = plain_class(t, page, vaddr);
	if (k >= 0 && !((t->listed >> (k & 15)) & 1)) {
		classes[pfn & (LKD_UNIT_PAGES - 1)] = k;
		w->found[k & 15]++;
		return 0;
	}
	return scan_page(s, page, vaddr, pfn);
}

/* All pages of the chunk get the same class; true unless the chunk is not whole.  Pages of our own are in use and have a
 * struct page: they stand neither in a free block nor where no struct page is. */
static __always_inline int fill_chunk(struct scan *s, __u64 eight)
{
	struct lkd_scan *t = &s->w->scan;
	__u64 at = (t->first + t->offset) & (LKD_UNIT_PAGES - 1);
	if (at & (CHUNK - 1) || t->offset + CHUNK > t->pages)
		return 0;
	__u64 *words = (__u64 *)(s->classes + (at & (LKD_UNIT_PAGES - CHUNK)));
	for (int i = 0; i < CHUNK / 8; i++)
		words[i] = eight;
	s->w->found[eight & 15] += CHUNK;
	return 1;
}

static long scan_chunk(__u32 i, struct scan *s)
{
	struct lkd_ctl *c = s->c;
	struct lkd_scratch *w = s->w;
	struct lkd_scan *t = &w->scan;
	if (PAGE_STRUCT > 128)
		return 1;
	if (t->offset >= t->pages) {
		if (bpf_ktime_get_ns() > t->deadline_ns) {
			t->late = 1;
			return 1;
		}
		__u64 n = __sync_fetch_and_add(&c->next_unit, 1);
		if (n >= c->units)
			return 1;
		__u32 key = n;
		struct lkd_unit *u = bpf_map_lookup_elem(&lkd_units, &key);
		if (!u)
			return 1;
		key = u->base >> LKD_UNIT_SHIFT;
		__u8 *classes = bpf_map_lookup_elem(&lkd_classes, &key);
		if (!classes)
			return 1;
		s->classes = classes;
		t->first = u->first;
		t->pages = u->pages;
		t->offset = 0;
		t->unaccepted = 0;
	}
	__u64 from = t->first + t->offset;
	if (t->skip >= from + CHUNK && fill_chunk(s, FREE8)) {
		t->offset += CHUNK;
	} else {
		/* a piece that does not start at a multiple of 64 pages still reads whole structs only, of the unit's own pages */
		__u64 left = t->pages - t->offset;
		__u64 bytes = left < CHUNK ? left * PAGE_STRUCT : CHUNK * PAGE_STRUCT;
		bytes &= 0x3fff;
		if (bytes > sizeof(w->vmemmap))
			return 1;
		/* a read that faults leaves zeros, which are a struct page that was never set up */
		long fault = bpf_probe_read_kernel(w->vmemmap, bytes, (void *)(c->vmemmap + from * PAGE_STRUCT));
		if (!fault || !fill_chunk(s, OFFLINE8))
			bpf_loop(CHUNK, scan_pages, s, 0);
		t->offset += CHUNK;
	}
	if (t->offset >= t->pages)
		t->done++;
	return 0;
}

static long add_found(__u32 i, void *unused)
{
	__u32 key = 0;
	struct lkd_ctl *c = ctl();
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	if (!c || !w)
		return 1;
	__sync_fetch_and_add(&c->found[i & 15], w->found[i & 15]);
	return 0;
}

/* Returns true when the time was over before the work. */
static __always_inline int classify_share(struct lkd_ctl *c, __u64 deadline_ns)
{
	__u32 key = 0;
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	__u8 *classes = bpf_map_lookup_elem(&lkd_classes, &key);
	if (!w || !classes)
		return 1;
	__builtin_memset(w->found, 0, sizeof(w->found));
	__builtin_memset(w->places, 0, sizeof(w->places));
	__builtin_memset(&w->scan, 0, sizeof(w->scan));
	w->scan.deadline_ns = deadline_ns;
	w->scan.listed = c->emit ? c->classes_listed : 0;
	struct scan s = { .c = c, .w = w, .classes = classes };
	/* a unit of 1024 pages is 16 chunks, a cut one at most 17; + 1 to see that there is no more */
	__u64 most = c->units * 17 + 1;
	bpf_loop(most < 1 << 23 ? most : 1 << 23, scan_chunk, &s, 0);
	bpf_loop(LKD_LANES * PLACES, give_back, 0, 0);
	bpf_loop(16, add_found, 0, 0);
	/* only now: who sees that all units are done finds the list whole */
	__sync_fetch_and_add(&c->units_done, w->scan.done);
	return w->scan.late;
}

#endif
