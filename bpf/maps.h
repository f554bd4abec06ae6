// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The maps.  Sizes that depend on the machine are set by user space before loading. */
#ifndef LKD_MAPS_H
#define LKD_MAPS_H

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_ctl);
} lkd_ctl SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_shot);
} lkd_shot SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_cpu);
} lkd_cpus SEC(".maps");

/* the probing task's kernel stack */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, LKD_STACK_BYTES);
} lkd_stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_unit);
} lkd_units SEC(".maps");

/* one byte per page of System RAM: its class */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, LKD_UNIT_PAGES);
} lkd_classes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lkd_list SEC(".maps");

/* Pages that are listed before their class is: a bit for each page frame.  Set for those that are no memory, too. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lkd_marks SEC(".maps");

/* The copies: a batch of slots is one element, so that pages that follow each other are copied at once.  In pieces, each a map of its
 * own, that go back to the system one by one as they are written. */
struct lkd_piece {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, LKD_BATCH * 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__array(values, struct lkd_piece);
} lkd_pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LKD_PEEKS);
	__type(key, __u32);
	__type(value, struct lkd_peek);
} lkd_peeks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LKD_PEEKS);
	__uint(key_size, 4);
	__uint(value_size, 4096);
} lkd_bounce SEC(".maps");

/* Where classification stands (scan.h). */
struct lkd_scan {
	__u64 deadline_ns; /* latched: nobody can extend it */
	__u64 first, offset, pages; /* the unit: its first pfn, the chunk in it, its length */
	__u64 skip; /* pfn: up to here it is the free block whose head was seen */
	__u64 head; /* struct page of the last page that was no tail, and its class */
	__u64 head_class;
	__u64 unaccepted; /* this block holds memory that the firmware has not given yet */
	__u64 done; /* units */
	__u64 listed; /* bit c: pages of class c are to be copied */
	__u64 late;
};

/* Where a walk over page tables stands (walk.h). */
struct lkd_walk {
	__u64 deadline_ns; /* latched */
	__u64 at, to; /* user addresses: where it stands, where it ends */
	__u64 pgd, table; /* kernel addresses of the top table, and of the one that is looked at; 0: go down from the top */
	__u64 pmd; /* the table of the second level on the way; 0: none, or its end was reached */
	__u64 top, level; /* the lowest is 0 */
	__u64 address; /* bits of an entry that are an address */
	__u64 run, left; /* of a large page: the next page frame, and how many are left */
	__u64 first; /* of the table's entries that are looked at */
	__u64 head, head_class; /* struct page of the last page that was no tail, and its class */
	__u64 lane;
	__u64 status;
};

/* Where the listing of a minidump stands (mini.h). */
struct lkd_mini {
	__u64 deadline_ns; /* latched */
	__u64 at, end; /* the object whose pages are listed */
	__u64 pgd, table, level, frame; /* the way down to one of them; page frame + 1 */
	__u64 lowest, lowest_at; /* the last table of the lowest level, and the two megabytes that it maps */
	__u64 first, leader, thread; /* init_task, a process, and one of its threads */
	__u64 top, node, index; /* of the table of pids */
	__u64 counters, counted[16]; /* a per-CPU variable, and pages whose like each CPU has listed, by their lowest bits */
	__u64 status;
};

/* What does not fit on 512 bytes of stack.  A program that uses it cannot be interrupted by another one that does: they are
 * the trigger when it holds its thread alone (then no CPU stops), a CPU that has stopped (interrupts off), and user space's test
 * runs (preemption off, no freeze going on). */
struct lkd_scratch {
	char vmemmap[64 * 128]; /* 64 struct pages */
	char head[128]; /* the head of a compound page whose tails are there */
	__u64 found[16];
	/* places in the list that this CPU has taken and not filled, by lane */
	struct {
		__u64 next, end;
	} places[LKD_LANES];
	__u64 regs[LKD_REGS + 1];
	struct lkd_scan scan;
	struct lkd_walk walk;
	struct lkd_mini mini;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_scratch);
} lkd_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_request);
} lkd_request SEC(".maps");

/* Wakes a thread on every CPU, and that interrupts it: what a program cannot do itself.  Nobody reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} lkd_wake SEC(".maps");

/* wakes the writer; a ring of its own, so that a flood of trace records cannot push a shot out */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} lkd_shots SEC(".maps");

/* What this arming may be asked for, by the bits of lkd()'s argument.  A constant to the verifier, which leaves out what no kind of
 * the arming needs. */
const volatile __u32 lkd_kinds;

static __always_inline struct lkd_ctl *ctl(void)
{
	__u32 key = 0;
	return bpf_map_lookup_elem(&lkd_ctl, &key);
}

#endif
