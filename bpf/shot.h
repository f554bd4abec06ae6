// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The shot and the request: one shape for the BPF side, the ring and the dump's note.  The Rust twins (with the offsets
 * asserted) are lkd_dump::Shot and lkd_dump::Request; a change here is a change there. */
#ifndef LKD_SHOT_H
#define LKD_SHOT_H

#define LKD_SHOT_MAGIC 0x31544f4853444b4cull /* "LKDSHOT1" */
#define LKD_REGS 21 /* struct pt_regs of x86-64, r15 to ss */
#define LKD_KSTACK 64
#define LKD_USTACK 32

/* What the generated D program leaves in the per-CPU map before its tail call. */
struct lkd_request {
	__u32 flags;
	__u32 clause;
	__u32 probe_id;
	__u32 site;
	__u64 args[10];
};

enum lkd_site { LKD_SITE_RAW_TP_REGS, LKD_SITE_RAW_TP, LKD_SITE_KPROBE, LKD_SITE_PERF_EVENT, LKD_SITE_USER };

enum lkd_status {
	LKD_DEADLINE = 1,
	LKD_BUFFER_SMALL = 2,
	LKD_KSTACK_FAILED = 4,
	LKD_USTACK_FAILED = 8,
	LKD_CPU_MISSING = 0x20,
	LKD_CPU_LATE = 0x40,
	LKD_RELEASED_EARLY = 0x100, /* a CPU went on before the copy was done */
	LKD_NOT_INTERRUPTIBLE = 0x200, /* interrupts were off at the probe: nobody else was stopped */
	LKD_ALONE = 0x400, /* no freeze was asked for, or this kernel cannot */
	LKD_CLOCK_STOOD = 0x800, /* a wait was ended by its count */
	LKD_GUESTS_CUT = 0x2000, /* not all virtual machines could be followed */
	LKD_CUT = 0x4000, /* one of the kernel's lists was longer than it is followed */
	LKD_WITHDRAWN = 0x8000, /* the interrupt in which the probe's CPU takes part did not come in time: nobody else was stopped */
};

/* What a CPU was doing when it stopped. */
enum lkd_cpu_flags {
	LKD_CPU_REGS = 1,
	LKD_CPU_USER = 2,
};

enum lkd_how { LKD_BY_PROBE = 1, LKD_BY_INTERRUPT, LKD_BY_PERF };

struct lkd_cpu_state {
	__u32 cpu, pid, flags;
	__u32 how; /* enum lkd_how */
	__u64 task;
	__u64 arrived_ns, left_ns;
	__u64 frame;
	__u64 pushed, entry; /* where the interrupt left the registers, and the return address into its entry code below them; 0: not known */
	__u64 regs[LKD_REGS];
};

struct lkd_shot {
	__u64 magic;
	__u32 version, size;
	__u32 flags, clause, probe_id, site;
	__u32 cpu, machine, pid, tgid, uid, gid;
	__u64 sequence;
	__u64 ktime_ns, boottime_ns, realtime_ns, deadline_ns;
	__u64 triggered_ns, stopped_ns, copied_ns, thawed_ns;
	__u32 status, consistency, cpus_online, cpus_stopped;
	char comm[16];
	__u64 task, bpf_frame;
	__u32 user_regs_valid, probe_regs_valid;
	__u64 user_regs[LKD_REGS], probe_regs[LKD_REGS];
	__u64 args[10];
	__u32 kstack_len, ustack_len;
	__u64 kstack[LKD_KSTACK], ustack[LKD_USTACK];
	__u64 found[16];
	__u64 kept, frozen, trailing, failed, own, overflow;
	char provider[64], module[64], function[128], name[64], script[128];
	__u64 classified_ns;
	__u64 reserved[5];
};

_Static_assert(sizeof(struct lkd_cpu_state) == 232, "struct lkd_cpu_state");
_Static_assert(sizeof(struct lkd_request) == 96, "struct lkd_request");
_Static_assert(sizeof(struct lkd_shot) == 2048, "struct lkd_shot");

#endif
