// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The trigger: takes the one shot, records what is true at the probe, and has the machine stopped (stop.h) where that can be
 * done, else holds the probing thread alone.
 *
 *   armed --CAS--> taken --- ask for an interrupt --- record --- its interrupt comes: freeze --- thaw ---> held
 *                                                     └- it does not: interrupts are off. Hold ----------> held
 */
#ifndef LKD_TRIGGER_H
#define LKD_TRIGGER_H

static __always_inline void record(void *ctx, struct lkd_ctl *c, struct lkd_shot *shot, const struct lkd_request *request,
				   const void *probe_regs, __u32 known, __u64 frame, __u64 now)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 pid_tgid = bpf_get_current_pid_tgid(), uid_gid = bpf_get_current_uid_gid();
	shot->magic = LKD_SHOT_MAGIC;
	shot->version = 1;
	shot->size = sizeof(*shot);
	shot->flags = request->flags;
	shot->clause = request->clause;
	shot->probe_id = request->probe_id;
	shot->site = request->site;
	__builtin_memcpy(shot->args, request->args, sizeof(shot->args));
	shot->cpu = bpf_get_smp_processor_id();
	shot->machine = LKD_MACHINE;
	shot->pid = pid_tgid;
	shot->tgid = pid_tgid >> 32;
	shot->uid = uid_gid;
	shot->gid = uid_gid >> 32;
	shot->sequence = c->sequence;
	shot->ktime_ns = now;
	shot->triggered_ns = now;
	shot->boottime_ns = bpf_ktime_get_boot_ns();
	shot->deadline_ns = c->deadline_ns;
	shot->cpus_online = c->cpus;
	bpf_get_current_comm(shot->comm, sizeof(shot->comm));
	shot->task = (__u64)task;
	shot->bpf_frame = frame;

	shot->probe_regs_valid = 0;
	if (probe_regs && !bpf_probe_read_kernel(shot->probe_regs, sizeof(shot->probe_regs), probe_regs)) {
		keep_regs(shot->probe_regs, known);
		shot->probe_regs_valid = known;
	}
	shot->user_regs_valid = 0;
	if (BPF_CORE_READ(task, mm)) {
		void *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
		if (!bpf_probe_read_kernel(shot->user_regs, sizeof(shot->user_regs), regs))
			shot->user_regs_valid = REGS_ALL;
	}

	long n = bpf_get_stack(ctx, shot->kstack, sizeof(shot->kstack), 0);
	shot->kstack_len = n > 0 ? (__u64)n / 8 : 0;
	if (n < 0)
		shot->status |= LKD_KSTACK_FAILED;
	n = bpf_get_stack(ctx, shot->ustack, sizeof(shot->ustack), BPF_F_USER_STACK);
	shot->ustack_len = n > 0 ? (__u64)n / 8 : 0;
	if (n < 0 && shot->user_regs_valid)
		shot->status |= LKD_USTACK_FAILED;
}

/* This thread alone: everybody else runs on. */
static __always_inline void hold(struct lkd_ctl *c, struct lkd_shot *shot, __u64 deadline_ns)
{
	shot->cpus_stopped = 1;
	shot->stopped_ns = bpf_ktime_get_ns();
	keep_stack(c, shot);
	__u32 status = capture(c, shot, c->sequence, deadline_ns);
	shot->status |= status;
	shot->copied_ns = bpf_ktime_get_ns();
	shot->thawed_ns = bpf_ktime_get_ns();
	finish(c);
}

/* Takes the freeze back.  Gives the lkd_status bit that says why it has not taken place; 0: it has. */
static __always_inline __u32 withdraw(struct lkd_ctl *c, __u64 pending)
{
	__u32 why = LKD_NOT_INTERRUPTIBLE;
	if (__sync_val_compare_and_swap(&c->pending, pending, 0) != pending) {
		/* it has begun, but the interrupt in which this CPU takes part did not come: whoever has stopped may go */
		c->phase = phase_of(c->sequence, LKD_THAWED);
		__sync_lock_test_and_set(&c->freeze, 0);
		why = LKD_WITHDRAWN;
	}
	/* unless it did come, just now */
	return LOOK(c->state) == LKD_TAKEN ? why : 0;
}

/* known: bit i: word i of probe_regs is.  in_interrupt: the program itself runs in an interrupt, so the one that it asks for comes
 * right after, at the same place. */
static __always_inline int trigger(void *ctx, const void *probe_regs, __u32 known, int in_interrupt)
{
	__u64 now = bpf_ktime_get_ns(), frame;
	/* the frame's address as a plain number: the way to this program's caller */
	asm volatile("%0 = r10" : "=r"(frame));
	__u32 key = 0;
	struct lkd_ctl *c = ctl();
	struct lkd_shot *shot = bpf_map_lookup_elem(&lkd_shot, &key);
	struct lkd_request *request = bpf_map_lookup_elem(&lkd_request, &key);
	if (!c || !shot || !request)
		return 0;
	/* one shot: pairs with user space's own compare-and-swap when it disarms */
	if (__sync_val_compare_and_swap(&c->state, LKD_ARMED, LKD_TAKEN) != LKD_ARMED) {
		__sync_fetch_and_add(&c->dropped, 1);
		return 0;
	}
	__u64 deadline_ns = now + c->max_pause_ns, pending = bpf_get_smp_processor_id() + 1;
	c->deadline_ns = deadline_ns;
	__u32 kind = request->flags & (LKD_KINDS - 1);
	c->classes_kept = c->kept_by_kind[kind];
	c->classes_listed = c->listed_by_kind[kind];
	c->lanes_kept = c->lanes_by_kind[kind];
	shot->status = 0;
	shot->classified_ns = 0;
	int freeze = !!c->rendezvous;
	if (freeze) {
		c->trigger_cpu = pending - 1;
		c->recorded = 0;
		c->phase = phase_of(c->sequence, LKD_STOPPING);
		__sync_lock_test_and_set(&c->pending, pending);
		/* the others come while the shot is being recorded */
		if (!in_interrupt)
			ask(c);
	}
	record(ctx, c, shot, request, probe_regs, known, frame, now);
	if (!freeze) {
		shot->status |= LKD_ALONE;
	} else if (shot->probe_regs_valid >> REG_FLAGS & 1 && !interrupts_on(shot->probe_regs)) {
		__u32 why = withdraw(c, pending);
		if (!why)
			return 0;
		/* by the registers, whatever came of it */
		shot->status |= LKD_NOT_INTERRUPTIBLE;
	} else {
		__sync_lock_test_and_set(&c->recorded, 1);
		ask(c);
		if (in_interrupt || wait(c, WAIT_HELD, c->sequence, 0, bpf_ktime_get_ns() + c->grace_ns) == WAIT_MET)
			return 0;
		__u32 why = withdraw(c, pending);
		if (!why)
			return 0;
		shot->status |= why;
	}
	hold(c, shot, deadline_ns);
	return 0;
}

#endif
