// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* What the capture engine and user space share: settings, state, the list of pages.  The Rust twin (offsets asserted) is
 * crates/capture/src/ctl.rs; a change here is a change there. */
#ifndef LKD_ENGINE_H
#define LKD_ENGINE_H

/* A unit is the piece of work of classification: pages of one block of 1024, so that a free buddy block (at most 1024 pages,
 * aligned) never spans two units.  A block that System RAM covers in two pieces is two units. */
#define LKD_UNIT_SHIFT 10
#define LKD_UNIT_PAGES (1 << LKD_UNIT_SHIFT)

struct lkd_unit {
	__u64 first; /* pfn */
	__u32 pages;
	__u32 base; /* the class of pfn stands in classes[base + pfn % 1024] */
};

/* The classes are lkd_dump::PageClass. */
enum lkd_class {
	LKD_RESERVED,
	LKD_SLAB,
	LKD_FREE,
	LKD_ANON,
	LKD_FILE,
	LKD_PAGE_TABLE,
	LKD_OTHER,
	LKD_REFCOUNT_ZERO,
	LKD_OFFLINE, /* offline, unaccepted, without a struct page or with one that was never set up: never touched */
	LKD_HWPOISON,
	LKD_HUGETLB,
	LKD_OWN, /* set by user space, stays: the engine's own buffers */
	LKD_FILE_MAPPED,
};

/* A page to be copied: which one, and where its copy stands. */
#define LKD_BATCH 16 /* pages that a CPU takes at once, and slots */
#define LKD_ENTRY_PFN_BITS 36
#define LKD_ENTRY_PFN ((1ull << LKD_ENTRY_PFN_BITS) - 1)
/* above the pfn: 0: not copied; else slot + 1, or */
#define LKD_ENTRY_FAILED (~0ull << LKD_ENTRY_PFN_BITS) /* the read faulted */
#define LKD_ENTRY_CHANGED (LKD_ENTRY_FAILED - (1ull << LKD_ENTRY_PFN_BITS)) /* read late: no longer a page to keep */
/* A CPU takes places in the list many at a time; those that it did not need in the end hold no page. */
#define LKD_ENTRY_NONE LKD_ENTRY_PFN

/* A lane is a part of the list; lower lanes are copied first, so that what matters most is copied when time or room end.  The first
 * one is copied before classification: user space has filled it with the pages that say who was running, and the trigger adds
 * the current task's.  Its pages stand in other lanes too; their first copy counts. */
#define LKD_LANES 8
enum {
	LKD_LANE_FIRST,
	LKD_LANE_MUST,
	LKD_LANE_RESERVED,
	LKD_LANE_REFCOUNT_ZERO,
	LKD_LANE_OWNER, /* user pages of the triggering process */
	LKD_LANE_USER, /* of all processes */
	LKD_LANE_GUEST, /* memory of virtual machines */
	LKD_LANE_MINI, /* of a minidump: user space has listed what never moves, the trigger adds every task's */
};

/* The bits of lkd()'s argument. */
enum { LKD_USER = 1, LKD_MINI = 2, LKD_HYPERVISOR = 4, LKD_KINDS = 8 };

struct lkd_lane {
	__u64 base; /* first entry in the list */
	__u64 room; /* entries */
	__u64 wanted; /* entries that classification took; more than room: the rest is found again by its class */
	__u64 next; /* first entry that nobody has begun to copy */
};

enum lkd_state { LKD_IDLE, LKD_ARMED, LKD_TAKEN, LKD_HELD };

/* Where a freeze stands; lkd_ctl's phase is the freeze's sequence number, shifted, and this. */
#define LKD_PHASE_SHIFT 8
enum lkd_phase { LKD_STOPPING, LKD_CLASSIFYING, LKD_COPYING, LKD_THAWED };

struct lkd_ctl {
	/* settings: user space writes them while the state is LKD_IDLE */
	__u64 zero; /* always 0, and the verifier does not know */
	__u64 page_offset, vmemmap, end_pfn;
	__u64 image_first, image_end; /* pfns of the kernel's code and data */
	__u64 units, slots;
	__u64 max_pause_ns;
	__u64 classes_kept; /* bit c: pages of class c may be copied; this word, lanes_kept and classes_listed are the trigger's, by
			       the kind that was asked for */
	__u64 emit; /* 1: list the pages to be copied */
	__u64 copy; /* 0: count only, for tests: nothing is read but struct pages */
	__u64 cpus; /* online */
	__s64 pipe_fd;
	__u64 page_struct; /* out: sizeof(struct page) */
	__u64 run_queue; /* out: sizeof(struct rq) */
	__u64 rendezvous; /* 1: stop all CPUs; 0: the probing thread's alone */
	__u64 cpu_slots; /* CPUs that may exist; one more than the highest number */
	__u64 quorum_ns; /* how long those that have stopped wait for the others */
	__u64 grace_ns; /* how long the trigger waits for its own interrupt */
	__u64 spins; /* rounds of 2^20 looks after which a wait ends although its time has not come: the clock may stand still */
	__u64 entry_first, entry_end; /* the kernel's entry code */
	__u64 text_first, text_end; /* all of its code; the first page of the image is text_first's */
	__u64 per_cpu_offset; /* where the kernel has each CPU's distance; 0: not known */
	__u64 task_bytes; /* a task_struct's with the FPU's registers behind it, which its type does not count; 0: not known */
	__u64 kept_by_kind[LKD_KINDS]; /* for each argument of lkd(): bit c: pages of class c are kept */
	__u64 listed_by_kind[LKD_KINDS]; /* bit c: and found by their class */
	__u64 lanes_by_kind[LKD_KINDS]; /* bit l: lane l is copied */
	__u64 marks; /* words of lkd_marks; 0: no kind of this arming needs them */
	__u64 levels; /* of page tables */
	__u64 sme_mask; /* the bit of a page table's entry that says "encrypted" */
	__u64 piece_shift; /* batches of a piece of the buffer: 1 << piece_shift */

	/* state */
	__u64 state; /* enum lkd_state; ARMED to TAKEN by compare-and-swap of the trigger, ARMED to IDLE by that of user space */
	__u64 sequence;
	__u64 dropped; /* triggers that came when not armed */
	__u64 deadline_ns;
	__u64 lanes_kept; /* bit l: lane l is copied */
	__u64 classes_listed; /* bit c: classification lists pages of class c */
	__u64 next_unit; /* first unit that nobody has begun to classify */
	__u64 units_done;
	__u64 next_slot;
	__u64 copied, failed, overflow;
	__u64 found_task, found_page; /* answers of lkd_bases */
	__u64 found[16]; /* pages by class */
	struct lkd_lane lanes[LKD_LANES];
	__u64 stack_base; /* vaddr of the first byte in the stack map */
	__u64 stack_valid; /* bit i: the i-th KiB could be read */
	__u64 stack_pages[4]; /* pfn + 1 of each of its pages; 0: not known */

	/* the freeze.  Each word has one writer at a time, so nobody waits for a lock */
	__u64 batches_taken, batches_done; /* of copying */
	__u64 must_ns; /* when all that must be had was taken to be copied */
	__u64 trigger_cpu;
	__u64 recorded; /* 1: the shot is recorded, the trigger's CPU may stop */
	__u64 pending; /* CPU + 1 of a trigger that waits for its own interrupt; whoever takes it to 0 decides how it goes on */
	__u64 rehearsed; /* lkd_rehearse: an interrupt of its own came */
	__u64 freeze; /* not 0: the number of the freeze that is going on */
	__u64 phase;
};

/* A CPU in the freeze.  Its own line of memory, and written by that CPU alone. */
struct lkd_cpu {
	__u64 sequence; /* of the last freeze in which it stopped */
	__u64 left; /* of the last freeze that it has left: from then on it touches nothing of ours */
	__u64 expected; /* user space: it is online */
	__u64 woken; /* user space: how often its thread was woken */
	struct lkd_cpu_state state;
	__u64 idle; /* user space: its idle task, for minidumps; 0: not known */
	__u64 unused[6];
};

/* The peek program reads many addresses in one call. */
#define LKD_PEEKS 256
struct lkd_peek {
	__u64 vaddr;
	__u32 len; /* at most 4096 */
	__s32 result; /* out: 0, -14 (the read faulted), -2 (see pfn_check) */
	__u64 pfn_check; /* not 0: pfn + 1; read only if that page's class is still one to keep */
};

#define LKD_STACK_BYTES 16384

_Static_assert(sizeof(struct lkd_ctl) == 1056, "struct lkd_ctl");
_Static_assert(sizeof(struct lkd_cpu) == 320, "struct lkd_cpu");
_Static_assert(sizeof(struct lkd_unit) == 16, "struct lkd_unit");
_Static_assert(sizeof(struct lkd_peek) == 24, "struct lkd_peek");

#endif
