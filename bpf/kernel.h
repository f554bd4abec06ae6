// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The little of the kernel that the capture engine touches, by name: CO-RE moves every access to where the running kernel
 * has the field, so only names and kinds count here, not places.  Where a name or a kind changed between kernels, a flavour
 * (the part after ___ is dropped when names are looked up) stands for each shape and the code asks which one exists. */
#ifndef LKD_KERNEL_H
#define LKD_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

/* from the BPF user interface, fixed for ever */
enum {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_F_MMAPABLE = 1 << 10, BPF_F_USER_STACK = 1 << 8, BPF_RB_FORCE_WAKEUP = 2 };

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next, *prev;
};

typedef struct {
	int counter;
} atomic_t;

struct page {
	unsigned long flags;
	unsigned long compound_head;
	struct list_head lru;
	void *mapping;
	unsigned long private;
	unsigned int page_type;
	atomic_t _mapcount;
	atomic_t _refcount;
	unsigned char compound_dtor;
	atomic_t compound_mapcount;
};

/* What a large folio counts for all of its pages stands behind its first struct page. */
struct folio {
	atomic_t _large_mapcount; /* since v6.10 */
	atomic_t _entire_mapcount, _nr_pages_mapped; /* since v6.3; before that compound_mapcount */
};

/* Since Linux commit 53fbef56e07d (in v6.18) flags is a struct around the word. */
typedef struct {
	unsigned long f;
} memdesc_flags_t;

struct page___memdesc {
	memdesc_flags_t flags;
};

/* Since v7.1 a tail's word holds either the head's address or the mask that gives it. */
struct page___info {
	unsigned long compound_info;
};

enum pageflags {
	PG_lru,
	PG_head,
	PG_reserved,
	PG_slab, /* until v6.9 */
	PG_hwpoison, /* where configured */
	PG_hugetlb, /* v6.6 to v6.8, in the second struct page */
};

/* Since v6.12 a page has one type, in the top byte. */
enum pagetype {
	PGTY_buddy = 0xf0,
	PGTY_offline = 0xf1,
	PGTY_table = 0xf2,
	PGTY_hugetlb = 0xf4,
	PGTY_slab = 0xf5,
	PGTY_unaccepted = 0xf7,
};

/* v6.11: types are bits that are cleared, in the upper half, and have names. */
enum pagetype___bits {
	PG_buddy___bits = 0x40000000,
	PG_offline___bits = 0x20000000,
	PG_table___bits = 0x10000000,
	PG_hugetlb___bits = 0x04000000,
	PG_slab___bits = 0x02000000,
};

struct address_space {
	unsigned long nrpages;
};

struct zone {
	struct list_head unaccepted_pages;
};

struct pt_regs;

struct ftrace_ops {
	unsigned long flags;
};

/* v6.14: no longer has ftrace_ops of its own, which asked for all registers */
struct fprobe {
	struct ftrace_ops ops;
};

struct file {
	void *private_data;
};

struct fdtable {
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct pipe_buffer {
	struct page *page;
};

struct pipe_inode_info {
	struct pipe_buffer *bufs;
};

typedef struct {
	unsigned long pgd;
} pgd_t;

struct mm_struct {
	pgd_t *pgd;
};

struct percpu_counter {
	__s32 *counters;
};

/* since Linux commit f1a7941243c1 (in v6.2) */
struct mm_struct___counted {
	struct percpu_counter rss_stat[4];
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct xarray {
	void *xa_head;
};

struct idr {
	struct xarray idr_rt;
};

struct pid_namespace {
	struct idr idr;
};

struct upid {
	struct pid_namespace *ns;
};

struct pid {
	struct upid numbers[1];
};

struct signal_struct {
	struct list_head thread_head;
};

struct vm_struct {
	struct page **pages;
};

struct rq {
	unsigned int nr_running;
};

struct task_struct {
	void *stack;
	struct vm_struct *stack_vm_area; /* with CONFIG_VMAP_STACK */
	int on_cpu;
	struct list_head tasks;
	struct mm_struct *mm, *active_mm;
	struct task_struct *real_parent;
	struct pid *thread_pid;
	struct list_head thread_node;
	struct files_struct *files;
	struct signal_struct *signal;
};

#pragma clang attribute pop

#endif
