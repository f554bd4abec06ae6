// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* What x86-64 alone does: where an interrupt leaves the registers of what it interrupted. */
#ifndef LKD_X86_H
#define LKD_X86_H

#define LKD_MACHINE 62 /* EM_X86_64 */
#define STACK_MOST 16384

/* words of struct pt_regs */
enum { REG_BP = 4, REG_AX = 10, REG_DX = 12, REG_ORIG_AX = 15, REG_IP, REG_CS, REG_FLAGS, REG_SP, REG_SS };
#define REGS_ALL ((1 << LKD_REGS) - 1)

/* What an fprobe has of them at a function's entry and return both, where it is made of the function graph tracer: its struct pt_regs
 * has in every other word what happened to lie there. */
#define REGS_OF_CALL (1 << REG_BP | 1 << REG_AX | 1 << REG_DX | 1 << REG_IP | 1 << REG_CS | 1 << REG_SP | 1 << REG_SS)

static __always_inline __u32 fprobe_regs(void)
{
	return bpf_core_field_exists(struct fprobe, ops) ? REGS_ALL : REGS_OF_CALL;
}

static __always_inline void keep_regs(__u64 *regs, __u32 known)
{
	for (int i = 0; i < LKD_REGS; i++)
		if (!(known >> i & 1))
			regs[i] = 0;
	if (known == REGS_OF_CALL) {
		regs[REG_CS] = 0x10;
		regs[REG_SS] = 0x18;
	}
}

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

/* Are these the registers that an interrupt pushed at `at`, on the stack that it met?  The processor pushes from the interrupted stack
 * pointer, aligned down to 16; so does KVM where it hands on an interrupt that ended a guest's turn (with interrupts off). */
static __always_inline int is_pushed(const __u64 *regs, __u64 at)
{
	__u64 end = at + LKD_REGS * 8;
	return regs[REG_CS] == 0x10 && (regs[REG_SS] == 0x18 || !regs[REG_SS]) && (regs[REG_FLAGS] & FLAGS_ALWAYS) &&
	       regs[REG_SP] >= end && regs[REG_SP] - end < 32;
}

struct search {
	__u64 at;
	__u64 user; /* where an interrupt of user code leaves the registers, on the stack that is looked through; 0: it does not use this one */
	__u32 jumped, found;
};

/* The entry code calls a function and pushed the registers just before: above the return address into it they stand.  The first
 * that is met is that of the running interrupt: a thread in a system call has its user registers on this stack, too, further up. */
static long search_word(__u32 i, struct search *s)
{
	__u32 key = 0;
	struct lkd_ctl *c = ctl();
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	__u64 word = 0;
	if (!c || !w || (s->user && s->at >= s->user))
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
	if (bpf_probe_read_kernel(w->regs, LKD_REGS * 8, (void *)s->at))
		return 0;
	/* a system call has its number there: the entry of the interrupt that came in it was not found */
	if (s->at == s->user && is_user(w->regs) && w->regs[REG_ORIG_AX] == ~0ull)
		s->found = LKD_CPU_REGS | LKD_CPU_USER;
	else if (is_pushed(w->regs, s->at))
		s->found = LKD_CPU_REGS;
	return !!s->found;
}

/* Leaves the registers of what the running interrupt interrupted in lkd_scratch; me->frame is on the stack that it uses. */
static __always_inline void interrupted(struct lkd_ctl *c, struct lkd_cpu_state *me)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 stack = (__u64)BPF_CORE_READ(task, stack), frame = me->frame, zero = c->zero;
	struct search s = { .at = (frame & ~7ull) | zero, .user = zero, .jumped = zero, .found = zero };
	/* an interrupt of user code stays on the thread's own stack, which was empty; some of kernel code do, too (reschedule) */
	if (frame - stack < STACK_MOST)
		s.user = bpf_task_pt_regs(bpf_get_current_task_btf());
	bpf_loop(2 * STACK_MOST / 8, search_word, &s, 0);
	me->flags = s.found;
	me->pushed = s.found ? s.at : 0;
	me->entry = 0;
	if (s.found)
		bpf_probe_read_kernel(&me->entry, sizeof(me->entry), (void *)(s.at - 8));
}

#endif
