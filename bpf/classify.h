// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* What is each page of System RAM?  From its struct page, by the running kernel's own layout (CO-RE).
 *
 * Kernels encode a page's type in three ways, and the verifier keeps only the code of the one that is running:
 *   until v6.9   PG_slab in flags; buddy, offline and table as cleared bits 7 to 9 of page_type, whose top 4 bits are set
 *   v6.10        as before, and slab and hugetlb as bits 12 and 11
 *   v6.11        cleared bits with names (enum pagetype), base 0x80000000
 *   since v6.12  the top byte (enum pagetype, PGTY_*)
 */
#ifndef LKD_CLASSIFY_H
#define LKD_CLASSIFY_H

#define PAGE_STRUCT bpf_core_type_size(struct page)
#define PAGE_OFF(field) bpf_core_field_offset(struct page, field)
#define PAGE_WORD(p, field) (*(__u64 *)((p) + PAGE_OFF(field)))
#define PAGE_HALF(p, field) (*(__u32 *)((p) + PAGE_OFF(field)))
#define HAS_FLAG(bit) bpf_core_enum_value_exists(enum pageflags, bit)
#define FLAG(flags, bit) ((flags) & (1ull << bpf_core_enum_value(enum pageflags, bit)))
#define PGTY(name) bpf_core_enum_value(enum pagetype, PGTY_##name)

static __always_inline __u64 page_flags(const char *page)
{
	if (bpf_core_field_exists(struct page___memdesc, flags.f))
		return *(__u64 *)(page + bpf_core_field_offset(struct page___memdesc, flags.f));
	return PAGE_WORD(page, flags);
}

static __always_inline int in_vmemmap(const struct lkd_ctl *c, __u64 vaddr)
{
	return vaddr >= c->vmemmap && vaddr < c->vmemmap + c->end_pfn * PAGE_STRUCT;
}

static __always_inline int in_direct_map(const struct lkd_ctl *c, __u64 vaddr)
{
	return vaddr >= c->page_offset && vaddr < c->page_offset + (c->end_pfn << 12);
}

/* The head's struct page if this page is a tail of a compound page, else 0. */
static __always_inline __u64 page_head(const char *page, __u64 vaddr)
{
	if (bpf_core_field_exists(struct page, compound_head)) {
		__u64 word = PAGE_WORD(page, compound_head);
		return word & 1 ? word & ~1ull : 0;
	}
	__u64 word = *(__u64 *)(page + bpf_core_field_offset(struct page___info, compound_info));
	if (!(word & 1))
		return 0;
	/* a mask has all the high bits that no address in vmemmap has: it clears at most order + 6 bits */
	return word >> 32 == 0xffffffff ? vaddr & word : word & ~1ull;
}

/* Until v6.8 a hugetlb page is known by its second struct page only. */
static __always_inline int old_hugetlb(const struct lkd_ctl *c, __u64 flags, __u64 vaddr)
{
	if (!FLAG(flags, PG_head))
		return 0;
	if (bpf_core_field_exists(struct page, compound_dtor)) {
		__u8 dtor = 0;
		bpf_probe_read_kernel(&dtor, 1, (void *)(vaddr + PAGE_STRUCT + PAGE_OFF(compound_dtor)));
		return dtor == 2; /* HUGETLB_PAGE_DTOR */
	}
	if (HAS_FLAG(PG_hugetlb)) {
		__u64 second = 0;
		bpf_probe_read_kernel(&second, 8, (void *)(vaddr + PAGE_STRUCT));
		return !!FLAG(second, PG_hugetlb);
	}
	return 0;
}

/* The class that the page's type tells; LKD_OTHER for a type that says nothing more, -1 for a page without one. */
static __always_inline int typed_class(const struct lkd_ctl *c, __u64 flags, __u32 type, __u64 vaddr)
{
	if (bpf_core_enum_value_exists(enum pagetype, PGTY_buddy)) {
		__u32 top = type >> 24;
		if (type == ~0u || top < 0xf0)
			return -1;
		if (top == PGTY(buddy))
			return LKD_FREE;
		if (top == PGTY(slab))
			return LKD_SLAB;
		if (top == PGTY(table))
			return LKD_PAGE_TABLE;
		if (top == PGTY(hugetlb))
			return LKD_HUGETLB;
		if (top == PGTY(offline))
			return LKD_OFFLINE;
		if (bpf_core_enum_value_exists(enum pagetype, PGTY_unaccepted) && top == PGTY(unaccepted))
			return LKD_OFFLINE;
		return top == 0xff ? -1 : LKD_OTHER;
	}
	if (bpf_core_enum_value_exists(enum pagetype___bits, PG_buddy___bits)) {
		if (!(type & 0x80000000) || type == ~0u)
			return -1;
		if (!(type & bpf_core_enum_value(enum pagetype___bits, PG_buddy___bits)))
			return LKD_FREE;
		if (!(type & bpf_core_enum_value(enum pagetype___bits, PG_slab___bits)))
			return LKD_SLAB;
		if (!(type & bpf_core_enum_value(enum pagetype___bits, PG_table___bits)))
			return LKD_PAGE_TABLE;
		if (!(type & bpf_core_enum_value(enum pagetype___bits, PG_hugetlb___bits)))
			return LKD_HUGETLB;
		if (!(type & bpf_core_enum_value(enum pagetype___bits, PG_offline___bits)))
			return LKD_OFFLINE;
		return LKD_OTHER;
	}
	if (HAS_FLAG(PG_slab) && FLAG(flags, PG_slab))
		return LKD_SLAB;
	if ((type & 0xf0000000) == 0xf0000000 && type != ~0u) {
		if (!(type & 0x80))
			return LKD_FREE;
		if (!(type & 0x100))
			return LKD_OFFLINE;
		if (!(type & 0x200))
			return LKD_PAGE_TABLE;
		if (!HAS_FLAG(PG_slab)) {
			if (!(type & 0x1000))
				return LKD_SLAB;
			if (!(type & 0x800))
				return LKD_HUGETLB;
		}
	}
	return old_hugetlb(c, flags, vaddr) ? LKD_HUGETLB : -1;
}

/* A page with no references and no type: on a per-CPU free list it is linked, and the next link points back.  The link is
 * followed only into struct pages and the direct map: a stale pointer elsewhere could be a device's register.  A page that is
 * linked to itself is on no list: so it was set up at boot, and so the second and later pages of a block stay that a kernel
 * user has got without a compound head. */
static __always_inline int on_free_list(const struct lkd_ctl *c, const char *page, __u64 vaddr)
{
	__u64 next = PAGE_WORD(page, lru), back = 0;
	if (next == vaddr + PAGE_OFF(lru) || (!in_vmemmap(c, next) && !in_direct_map(c, next)))
		return 0;
	bpf_probe_read_kernel(&back, 8, (void *)(next + 8));
	return back == vaddr + PAGE_OFF(lru);
}

/* A poisoned page is never read.  Every page has a flag of its own, tails too: the others of its block are sound. */
static __always_inline int is_poisoned(const char *page)
{
	return HAS_FLAG(PG_hwpoison) && FLAG(page_flags(page), PG_hwpoison);
}

/* Kernel buffers that a process has mapped (perf's rings, until v6.13) point to the file's mapping too, but are none of its
 * pages: such a mapping has none. */
static __always_inline int is_cached(__u64 mapping)
{
	return BPF_CORE_READ((struct address_space *)mapping, nrpages) != 0;
}

/* Has some process mapped a page of this large folio?  Its first page counts its own mappings only, and none where the folio is
 * mapped as a whole. */
static __always_inline int is_large_mapped(__u64 flags, __u64 vaddr)
{
	__s32 all = -1, pages = 0;
	if (!FLAG(flags, PG_head))
		return 0;
	if (bpf_core_field_exists(struct folio, _large_mapcount)) {
		bpf_probe_read_kernel(&all, 4, (void *)(vaddr + bpf_core_field_offset(struct folio, _large_mapcount)));
	} else if (bpf_core_field_exists(struct folio, _nr_pages_mapped)) {
		bpf_probe_read_kernel(&all, 4, (void *)(vaddr + bpf_core_field_offset(struct folio, _entire_mapcount)));
		bpf_probe_read_kernel(&pages, 4, (void *)(vaddr + bpf_core_field_offset(struct folio, _nr_pages_mapped)));
	} else if (bpf_core_field_exists(struct page, compound_mapcount)) {
		bpf_probe_read_kernel(&all, 4, (void *)(vaddr + PAGE_STRUCT + PAGE_OFF(compound_mapcount)));
	}
	/* these begin at -1, as the counts of single pages do */
	return all >= 0 || pages > 0;
}

/* The class of a page that is not a compound tail.  vaddr: where its struct page is; page: a copy of it. */
static __always_inline int page_class(const struct lkd_ctl *c, const char *page, __u64 vaddr)
{
	__u64 flags = page_flags(page);
	__u32 type = PAGE_HALF(page, page_type);
	int typed = typed_class(c, flags, type, vaddr);
	if (typed >= 0)
		return typed;
	if (FLAG(flags, PG_reserved))
		return LKD_RESERVED;
	/* the user's pages before the free ones: a page under migration has its references frozen at 0 */
	__u64 mapping = PAGE_WORD(page, mapping);
	if (mapping & 1)
		return LKD_ANON;
	if (FLAG(flags, PG_lru) || (mapping && !(mapping & 3) && in_direct_map(c, mapping) && is_cached(mapping)))
		return (__s32)PAGE_HALF(page, _mapcount) >= 0 || is_large_mapped(flags, vaddr) ? LKD_FILE_MAPPED : LKD_FILE;
	if (PAGE_HALF(page, _refcount) == 0) {
		if (type != ~0u)
			return LKD_OFFLINE; /* never set up */
		return on_free_list(c, page, vaddr) ? LKD_FREE : LKD_REFCOUNT_ZERO;
	}
	return LKD_OTHER;
}

/* The class of a tail, by its head's.  Until v6.2 a large page of a file counts the mappers of each page in that page alone. */
static __always_inline __u32 tail_class(const char *page, __u32 class)
{
	return class == LKD_FILE && (__s32)PAGE_HALF(page, _mapcount) >= 0 ? LKD_FILE_MAPPED : class;
}

#endif
