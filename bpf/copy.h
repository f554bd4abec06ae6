// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* A CPU's share of copying: take batches of the list, lane after lane, until the list, the room or the time is over.  Any
 * number of CPUs may run it at once, once classification is complete: a batch belongs to whoever took it. */
#ifndef LKD_COPY_H
#define LKD_COPY_H

#define COPY_PAGES (1 << 23) /* and empty places, by one CPU */

struct copy {
	__u64 deadline_ns;
	__u64 entry, end; /* of the batch, in the list */
	__u64 slot;
	__u64 copied, failed;
	__u64 open; /* 1: a batch is being copied */
	__u32 lane, lanes; /* the next one, and where to end */
	__u32 status;
	__u32 check; /* the machine runs on: pages change hands */
	struct lkd_ctl *c;
	char *copies; /* of the batch */
};

/* Where the batch of slots from this one on is copied to. */
static __always_inline char *batch_at(struct lkd_ctl *c, __u64 slot)
{
	__u64 batch = slot / LKD_BATCH, shift = c->piece_shift & 31;
	__u32 piece = batch >> shift, in = batch & ((1u << shift) - 1);
	void *map = bpf_map_lookup_elem(&lkd_pages, &piece);
	return map ? bpf_map_lookup_elem(map, &in) : 0;
}

/* Has the page a class that may be read at all, now?  It may have been given to somebody else since it was classified. */
static __always_inline int still_kept(struct lkd_ctl *c, __u64 pfn)
{
	__u32 key = 0;
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	__u64 vaddr = c->vmemmap + pfn * PAGE_STRUCT;
	if (!w || PAGE_STRUCT > 128 || bpf_probe_read_kernel(w->head, PAGE_STRUCT, (void *)vaddr) || is_poisoned(w->head))
		return 0;
	__u64 head = page_head(w->head, vaddr);
	__u32 as_file = LKD_FILE;
	if (head) {
		as_file = tail_class(w->head, LKD_FILE);
		vaddr = head;
		if (!in_vmemmap(c, head) || bpf_probe_read_kernel(w->head, PAGE_STRUCT, (void *)head))
			return 0;
	}
	__u32 class = page_class(c, w->head, vaddr);
	return (c->classes_kept >> ((class == LKD_FILE ? as_file : class) & 15)) & 1;
}

/* Whether a page's neighbours, or itself, stand in a lane before. */
static __always_inline int has_marks(const struct lkd_ctl *c, __u64 pfn)
{
	__u64 *word = marks_of(c, pfn);
	return word && *word;
}

/* The whole batch at once, if its pages follow each other: half again as fast as page by page.  What it does not copy is left to
 * do for copy_page. */
static __always_inline void copy_run(struct lkd_ctl *c, struct copy *s)
{
	__u32 key = s->entry, last = s->entry + LKD_BATCH - 1;
	__u64 *first = bpf_map_lookup_elem(&lkd_list, &key), *end = bpf_map_lookup_elem(&lkd_list, &last);
	if (!first || !end || s->check || s->end - s->entry != LKD_BATCH)
		return;
	/* entries of a batch ascend, or come from places that several CPUs have filled */
	__u64 pfn = *first;
	if (*end - pfn != LKD_BATCH - 1 || pfn >= LKD_ENTRY_NONE - LKD_BATCH)
		return;
	if (s->lane == LKD_LANE_USER && c->marks && (has_marks(c, pfn) || has_marks(c, pfn + LKD_BATCH - 1)))
		return;
	for (__u32 i = 1; i < LKD_BATCH - 1; i++) {
		key = s->entry + i;
		__u64 *entry = bpf_map_lookup_elem(&lkd_list, &key);
		if (!entry || *entry != pfn + i)
			return;
	}
	if (bpf_probe_read_kernel(s->copies, LKD_BATCH * 4096, (void *)(c->page_offset + (pfn << 12))))
		return;
	for (__u32 i = 0; i < LKD_BATCH; i++) {
		key = s->entry + i;
		__u64 *entry = bpf_map_lookup_elem(&lkd_list, &key);
		if (entry)
			*entry = (pfn + i) | (s->slot + i + 1) << LKD_ENTRY_PFN_BITS;
	}
	s->copied += LKD_BATCH;
	s->entry = s->end;
}

static __always_inline int next_batch(struct lkd_ctl *c, struct copy *s)
{
	if (s->open) {
		s->open = 0;
		__sync_fetch_and_add(&c->batches_done, 1);
	}
	if (bpf_ktime_get_ns() > s->deadline_ns) {
		s->status |= LKD_DEADLINE;
		return 1;
	}
	struct lkd_lane *l = &c->lanes[s->lane & (LKD_LANES - 1)];
	__u64 listed = l->wanted < l->room ? l->wanted : l->room;
	if (!((c->lanes_kept >> (s->lane & (LKD_LANES - 1))) & 1))
		listed = 0;
	/* look before taking: what nobody takes is found by the writer at the lane's next */
	if (l->next >= listed) {
		if (s->lane == LKD_LANE_MUST && !c->must_ns)
			c->must_ns = bpf_ktime_get_ns();
		/* the mask bounds what the verifier, which walks on after the end, would otherwise count without end */
		s->lane = (s->lane + 1) & (2 * LKD_LANES - 1);
		return s->lane >= s->lanes;
	}
	/* counted before it is taken: who sees that nothing is left to take, or no room, sees this batch too, and waits for it */
	s->open = 1;
	__sync_fetch_and_add(&c->batches_taken, 1);
	__u64 slot = __sync_fetch_and_add(&c->next_slot, LKD_BATCH);
	char *copies = batch_at(c, slot);
	if (slot + LKD_BATCH > c->slots || !copies) {
		s->status |= LKD_BUFFER_SMALL;
		return 1;
	}
	__u64 n = __sync_fetch_and_add(&l->next, LKD_BATCH);
	if (n >= listed)
		return 0;
	s->copies = copies;
	s->slot = slot;
	s->entry = l->base + n;
	s->end = l->base + (n + LKD_BATCH < listed ? n + LKD_BATCH : listed);
	copy_run(c, s);
	return 0;
}

static long copy_page(__u32 i, struct copy *s)
{
	struct lkd_ctl *c = s->c;
	if (s->entry >= s->end)
		return next_batch(c, s);
	__u32 key = s->entry;
	__u64 *entry = bpf_map_lookup_elem(&lkd_list, &key);
	if (!entry)
		return 1;
	char *to = s->copies + (s->slot & (LKD_BATCH - 1)) * 4096;
	__u64 pfn = *entry & LKD_ENTRY_PFN;
	if (pfn == LKD_ENTRY_NONE) {
		/* a place without a page */
	} else if (s->lane == LKD_LANE_USER && is_marked(c, pfn)) {
		*entry = LKD_ENTRY_NONE; /* it stands in a lane before */
	} else if (s->check && !still_kept(c, pfn)) {
		*entry = pfn | LKD_ENTRY_CHANGED;
	} else if (bpf_probe_read_kernel(to, 4096, (void *)(c->page_offset + (pfn << 12)))) {
		*entry = pfn | LKD_ENTRY_FAILED;
		s->failed++;
	} else {
		s->slot++;
		*entry = pfn | s->slot << LKD_ENTRY_PFN_BITS;
		s->copied++;
	}
	s->entry++;
	return 0;
}

/* Copies lanes up to `lanes`.  Returns lkd_status bits: what ended the copy before their end.  check: leave out pages that have
 * changed hands. */
static __always_inline __u32 copy_share(struct lkd_ctl *c, __u64 deadline_ns, __u32 lanes, __u32 check)
{
	__u64 zero = c->zero;
	char *copies = batch_at(c, zero);
	if (!copies)
		return LKD_BUFFER_SMALL;
	struct copy s = {
		.deadline_ns = deadline_ns,
		.entry = zero,
		.end = zero,
		.slot = zero,
		.copied = zero,
		.failed = zero,
		.open = zero,
		.lane = zero,
		.lanes = lanes | (__u32)zero,
		.status = zero,
		.check = check,
		.c = c,
		.copies = copies,
	};
	if (bpf_loop(COPY_PAGES, copy_page, &s, 0) == COPY_PAGES)
		s.status |= LKD_DEADLINE; /* 512 GB, where pages follow each other */
	if (s.open)
		__sync_fetch_and_add(&c->batches_done, 1);
	__sync_fetch_and_add(&c->copied, s.copied);
	__sync_fetch_and_add(&c->failed, s.failed);
	return s.status;
}

#endif
