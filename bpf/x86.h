// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* What x86-64 alone does: where an interrupt leaves the registers of what it interrupted. */
#ifndef LKD_X86_H
#define LKD_X86_H

#define LKD_MACHINE 62 /* EM_X86_64 */
#define STACK_MOST 16384

/* words of struct pt_regs */
enum { REG_CS = 17, REG_FLAGS, REG_SP, REG_SS };

#define FLAGS_ALWAYS 0x2
#define FLAGS_INTERRUPTS 0x200

static __always_inline int interrupts_on(const __u64 *regs)
{
	return !!(regs[REG_FLAGS] & FLAGS_INTERRUPTS);
}

static __always_inline int is_user(const __u64 *regs)
{
	return (regs[REG_CS] & 3) == 3;
}

/* Are these the registers that an interrupt pushed at `at`, on the stack that it met?  Interrupts were on, and the processor
 * pushes from the interrupted stack pointer, aligned down to 16; FRED leaves up to 16 bytes more. */
static __always_inline int is_pushed(const __u64 *regs, __u64 at)
{
	__u64 end = at + LKD_REGS * 8;
	return regs[REG_CS] == 0x10 && (regs[REG_SS] == 0x18 || !regs[REG_SS]) && (regs[REG_FLAGS] & FLAGS_ALWAYS) &&
	       interrupts_on(regs) && regs[REG_SP] >= end && regs[REG_SP] - end < 32;
}

struct search {
	__u64 at;
	__u32 jumped, found;
};

/* The entry code calls a function and pushed the registers just before: above the return address into it they stand. */
static long search_word(__u32 i, struct search *s)
{
	__u32 key = 0;
	struct lkd_ctl *c = ctl();
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	__u64 word = 0;
	if (!c || !w)
		return 1;
	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)s->at)) {
		/* the page above the interrupt stack: the stack's topmost word is the stack pointer that was left for it */
		if (s->jumped || bpf_probe_read_kernel(&word, sizeof(word), (void *)(s->at - 8)))
			return 1;
		s->jumped = 1;
		s->at = word;
		return 0;
	}
	s->at += 8;
	if (word < c->entry_first || word >= c->entry_end)
		return 0;
	if (bpf_probe_read_kernel(w->regs, LKD_REGS * 8, (void *)s->at) || !is_pushed(w->regs, s->at))
		return 0;
	s->found = 1;
	return 1;
}

/* Leaves the registers of what the running interrupt interrupted in lkd_scratch; `frame` is on the stack that it uses.  Gives
 * bits of lkd_cpu_flags. */
static __always_inline __u32 interrupted(struct lkd_ctl *c, struct lkd_scratch *w, __u64 frame)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 stack = (__u64)BPF_CORE_READ(task, stack);
	/* an interrupt of user code stays on the thread's own stack, which was empty */
	if (frame - stack < STACK_MOST) {
		void *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
		if (!bpf_probe_read_kernel(w->regs, LKD_REGS * 8, regs) && is_user(w->regs))
			return LKD_CPU_REGS | LKD_CPU_USER;
	}
	__u64 zero = c->zero;
	struct search s = { .at = (frame & ~7ull) | zero, .jumped = zero, .found = zero };
	bpf_loop(2 * STACK_MOST / 8, search_word, &s, 0);
	return s.found ? LKD_CPU_REGS : 0;
}

#endif
