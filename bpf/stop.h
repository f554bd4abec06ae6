// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The freeze: every CPU is interrupted, stands still in its interrupt, and shares the work until the trigger's CPU lets all go.
 *
 *   the trigger's CPU        stop all ── classify ── wait ── copy ── wait ── thaw
 *   every other one       come ── wait ──┘   classify ── wait ──┘   copy ── wait ──┘ leave
 *
 * Nobody takes a lock here, and nobody waits without an end: each wait ends at the freeze's deadline, which every CPU reads once,
 * and by a count, should the clock stand still.  A CPU that comes late, or wakes up in a later freeze (its host had taken it
 * away), is told apart by the freeze's number, which stands in every word that it compares. */
#ifndef LKD_STOP_H
#define LKD_STOP_H

/* Longer than a batch takes to be copied by a CPU that runs. */
#define LAST_BATCH_NS 1000000

#define LOOK(word) (*(volatile __u64 *)&(word))

static __always_inline __u64 phase_of(__u64 sequence, __u32 phase)
{
	return sequence << LKD_PHASE_SHIFT | phase;
}

enum wait_for { WAIT_PHASE, WAIT_CPUS, WAIT_UNITS, WAIT_BATCHES, WAIT_HELD };
enum wait_end { WAIT_LONGER, WAIT_MET, WAIT_TIME, WAIT_COUNT };

struct wait {
	__u64 until_ns;
	__u64 sequence, phase;
	__u64 cpu; /* all CPUs below have stopped */
	__u32 what, end;
};

static __always_inline int is_met(struct lkd_ctl *c, struct wait *s)
{
	__u32 what = s->what;
	if (what == WAIT_PHASE)
		return LOOK(c->phase) >= s->phase;
	if (what == WAIT_UNITS)
		return LOOK(c->units_done) >= c->units;
	if (what == WAIT_BATCHES) {
		__u64 done = LOOK(c->batches_done);
		return done == LOOK(c->batches_taken);
	}
	if (what == WAIT_HELD)
		return LOOK(c->state) != LKD_TAKEN;
	__u32 key = s->cpu;
	struct lkd_cpu *cpu = bpf_map_lookup_elem(&lkd_cpus, &key);
	if (cpu && cpu->expected && LOOK(cpu->sequence) != s->sequence)
		return 0;
	s->cpu++;
	return s->cpu >= c->cpu_slots;
}

static long wait_look(__u32 i, struct wait *s)
{
	struct lkd_ctl *c = ctl();
	if (!c)
		return 1;
	if (is_met(c, s)) {
		s->end = WAIT_MET;
		return 1;
	}
	if (bpf_ktime_get_ns() > s->until_ns) {
		s->end = WAIT_TIME;
		return 1;
	}
	return 0;
}

static long wait_round(__u32 i, struct wait *s)
{
	bpf_loop(1 << 20, wait_look, s, 0);
	return s->end != WAIT_LONGER;
}

static __always_inline __u32 wait(struct lkd_ctl *c, __u32 what, __u64 sequence, __u32 phase, __u64 until_ns)
{
	__u64 zero = c->zero;
	struct wait s = {
		.until_ns = until_ns,
		.sequence = sequence,
		.phase = phase_of(sequence, phase),
		.cpu = zero,
		.what = what | (__u32)zero,
		.end = zero,
	};
	__u64 rounds = c->spins;
	bpf_loop(rounds < 4096 ? rounds : 4096, wait_round, &s, 0);
	return s.end == WAIT_LONGER ? WAIT_COUNT : s.end;
}

/* lkd_status bits of a wait that has ended. */
static __always_inline __u32 wait_status(__u32 end)
{
	return end == WAIT_MET ? 0 : end == WAIT_TIME ? LKD_DEADLINE : LKD_DEADLINE | LKD_CLOCK_STOOD;
}

/* The current task's struct: at most 8 pages, user space has left room for them. */
static __always_inline void list_task(struct lkd_ctl *c, __u64 task)
{
	__u64 end = task + task_bytes(c);
	for (int i = 0; i < 8; i++) {
		__u64 at = (task & ~4095ull) + i * 4096ull;
		if (at < end && in_direct_map(c, at))
			list_alone(c, (at - c->page_offset) >> 12, LKD_LANE_FIRST);
	}
}

/* Which page frame is the i-th of the stack: pfn + 1, or 0. */
static __always_inline __u64 stack_page(const struct lkd_ctl *c, struct task_struct *task, __u64 base, int i)
{
	if (in_direct_map(c, base))
		return ((base - c->page_offset) >> 12) + i + 1;
	if (!bpf_core_field_exists(task->stack_vm_area))
		return 0;
	struct page **pages = BPF_CORE_READ(task, stack_vm_area, pages), *page = 0;
	bpf_probe_read_kernel(&page, sizeof(page), pages + i);
	return in_vmemmap(c, (__u64)page) ? ((__u64)page - c->vmemmap) / PAGE_STRUCT + 1 : 0;
}

/* The stack's bytes: the thread runs on before the writer looks, and the exact stack pointer of each frame is found in them by the
 * addresses that the shot has.  The thread stands still, so they are those at the probe. */
static __always_inline void keep_stack(struct lkd_ctl *c, const struct lkd_shot *shot)
{
	struct task_struct *task = (void *)shot->task;
	__u32 key = 0;
	char *bytes = bpf_map_lookup_elem(&lkd_stack, &key);
	if (!bytes)
		return;
	__u64 valid = 0, base = (__u64)BPF_CORE_READ(task, stack);
	for (int i = 0; i < LKD_STACK_BYTES / 1024; i++)
		if (!bpf_probe_read_kernel(bytes + i * 1024, 1024, (void *)(base + i * 1024)))
			valid |= 1 << i;
	c->stack_base = base;
	c->stack_valid = valid;
	for (int i = 0; i < LKD_STACK_BYTES / 4096; i++)
		c->stack_pages[i] = stack_page(c, task, base, i);
}

/* A minidump's pages are found by the kernel's own pointers, all others' by their class. */
static __always_inline int by_class(struct lkd_ctl *c)
{
	return !(lkd_kinds & LKD_MINI) || !((LOOK(c->lanes_kept) >> LKD_LANE_MINI) & 1);
}

/* What is found by walking is looked for by this CPU alone, before the rest is copied.  It may take this much of the time that is
 * left: a virtual machine's memory, or a process', may be all of the machine's, and the kernel's pages come first. */
static __always_inline __u64 walk_until(__u64 deadline_ns)
{
	__u64 now = bpf_ktime_get_ns();
	return now < deadline_ns ? now + (deadline_ns - now) / 4 : deadline_ns;
}

/* The trigger's CPU: the whole of memory, together with whoever has stopped.  Gives lkd_status bits. */
static __always_inline __u32 capture(struct lkd_ctl *c, struct lkd_shot *shot, __u64 sequence, __u64 deadline_ns)
{
	if (c->copy) {
		list_task(c, shot->task);
		copy_share(c, deadline_ns, LKD_LANE_FIRST + 1, 0);
	}
	__u32 status = 0;
	if (lkd_kinds & LKD_USER && shot->flags & LKD_USER)
		list_owner(c, shot, walk_until(deadline_ns));
	if (lkd_kinds & LKD_HYPERVISOR && shot->flags & LKD_HYPERVISOR)
		shot->status |= list_guests(c, walk_until(deadline_ns));
	if (by_class(c)) {
		if (classify_share(c, deadline_ns))
			return LKD_DEADLINE;
		status = wait_status(wait(c, WAIT_UNITS, sequence, 0, deadline_ns));
	} else {
		status = list_mini(deadline_ns);
	}
	if (status & LKD_DEADLINE)
		return status;
	shot->classified_ns = bpf_ktime_get_ns();
	if (LOOK(c->freeze) == sequence)
		c->phase = phase_of(sequence, LKD_COPYING);
	if (!c->copy)
		return 0;
	status |= copy_share(c, deadline_ns, LKD_LANES, 0);
	/* Also where the time is over: what is being copied counts as copied while all stood still. */
	__u32 end = wait(c, WAIT_BATCHES, sequence, 0, deadline_ns + LAST_BATCH_NS);
	return status | wait_status(end) | (end == WAIT_MET ? 0 : LKD_RELEASED_EARLY);
}

/* The shot is taken and nobody is held any more: the writer's turn. */
static __always_inline void finish(struct lkd_ctl *c)
{
	__u64 sequence = c->sequence;
	__sync_val_compare_and_swap(&c->state, LKD_TAKEN, LKD_HELD);
	bpf_ringbuf_output(&lkd_shots, &sequence, sizeof(sequence), BPF_RB_FORCE_WAKEUP);
}

struct census {
	__u64 sequence, expected, stopped, left;
};

static long count_stopped(__u32 i, struct census *s)
{
	__u32 key = i;
	struct lkd_cpu *cpu = bpf_map_lookup_elem(&lkd_cpus, &key);
	if (!cpu)
		return 1;
	if (!cpu->expected)
		return 0;
	s->expected++;
	if (LOOK(cpu->sequence) == s->sequence)
		s->stopped++;
	if (LOOK(cpu->left) == s->sequence)
		s->left++;
	return 0;
}

/* The trigger's CPU, in its interrupt. */
static __always_inline void coordinate(struct lkd_ctl *c, __u64 sequence)
{
	__u32 key = 0;
	struct lkd_shot *shot = bpf_map_lookup_elem(&lkd_shot, &key);
	if (!shot)
		return;
	__u64 deadline_ns = c->deadline_ns, quorum_ns = shot->triggered_ns + c->quorum_ns;
	wait(c, WAIT_CPUS, sequence, 0, quorum_ns < deadline_ns ? quorum_ns : deadline_ns);
	__u64 zero = c->zero, slots = c->cpu_slots;
	struct census census = { .sequence = sequence, .expected = zero, .stopped = zero, .left = zero };
	bpf_loop(slots < 8192 ? slots : 8192, count_stopped, &census, 0);
	shot->cpus_stopped = census.stopped;
	__u32 status = census.stopped < census.expected ? LKD_CPU_MISSING : 0;
	shot->stopped_ns = bpf_ktime_get_ns();

	c->phase = phase_of(sequence, LKD_CLASSIFYING);
	keep_stack(c, shot);
	status |= capture(c, shot, sequence, deadline_ns);
	shot->copied_ns = bpf_ktime_get_ns();
	/* who has left before it was told to did not stand still */
	bpf_loop(slots < 8192 ? slots : 8192, count_stopped, &census, 0);
	if (census.left)
		status |= LKD_RELEASED_EARLY;

	c->phase = phase_of(sequence, LKD_THAWED);
	c->freeze = 0;
	shot->status |= status;
	shot->thawed_ns = bpf_ktime_get_ns();
	finish(c);
}

/* Any other CPU, in its interrupt. */
static __always_inline void follow(struct lkd_ctl *c, __u64 sequence, __u64 deadline_ns)
{
	if (wait(c, WAIT_PHASE, sequence, LKD_CLASSIFYING, deadline_ns) != WAIT_MET ||
	    LOOK(c->phase) >= phase_of(sequence, LKD_THAWED))
		return;
	if (by_class(c))
		classify_share(c, deadline_ns);
	if (wait(c, WAIT_PHASE, sequence, LKD_COPYING, deadline_ns) != WAIT_MET ||
	    LOOK(c->phase) >= phase_of(sequence, LKD_THAWED))
		return;
	if (c->copy)
		copy_share(c, deadline_ns, LKD_LANES, 0);
	wait(c, WAIT_PHASE, sequence, LKD_THAWED, deadline_ns);
}

/* Where this program stands on the stack that the kernel uses: a program with little on its stack has it there, others may have
 * one of their own (since v6.13). */
static __noinline int note_frame(struct lkd_cpu *me)
{
	if (!me)
		return 0;
	asm volatile("*(u64 *)(%0 + %1) = r10" ::"r"(me), "i"(__builtin_offsetof(struct lkd_cpu, state.frame)) : "memory");
	return 0;
}

/* This CPU, if a freeze is going on that it has not seen yet. */
static __always_inline void stop(const void *regs, __u32 how)
{
	__u32 key = 0, cpu = bpf_get_smp_processor_id();
	struct lkd_ctl *c = ctl();
	if (!c)
		return;
	__u64 sequence = LOOK(c->freeze);
	if (!sequence)
		return;
	struct lkd_cpu *me = bpf_map_lookup_elem(&lkd_cpus, &cpu);
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	if (!me || !w || me->sequence == sequence)
		return;
	int coordinator = cpu == c->trigger_cpu;
	if (coordinator && !LOOK(c->recorded))
		return;
	__u64 deadline_ns = LOOK(c->deadline_ns), now = bpf_ktime_get_ns();
	/* the deadline is that of this freeze */
	if (LOOK(c->freeze) != sequence || (now > deadline_ns && !coordinator))
		return;
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	me->state.cpu = cpu;
	me->state.pid = pid_tgid;
	me->state.flags = 0;
	me->state.how = how;
	me->state.task = bpf_get_current_task();
	me->state.arrived_ns = now;
	me->state.left_ns = 0;
	/* from here on it stands still */
	__sync_lock_test_and_set(&me->sequence, sequence);
	if (coordinator) {
		coordinate(c, sequence);
	} else {
		note_frame(me);
		interrupted(c, &me->state);
		if (!me->state.flags && regs && !bpf_probe_read_kernel(w->regs, LKD_REGS * 8, regs))
			me->state.flags = is_user(w->regs) ? LKD_CPU_REGS | LKD_CPU_USER : LKD_CPU_REGS;
		if (me->state.flags)
			__builtin_memcpy(me->state.regs, w->regs, sizeof(me->state.regs));
		follow(c, sequence, deadline_ns);
	}
	me->state.left_ns = bpf_ktime_get_ns();
	__sync_lock_test_and_set(&me->left, sequence);
}

/* The interrupt that the trigger asked for has come to its CPU: interrupts were on at the probe.  Only now do the others stop, so
 * nobody ever waits for a CPU that cannot be interrupted.  Before the work of that interrupt, which wakes them. */
static __always_inline void begin(void)
{
	struct lkd_ctl *c = ctl();
	if (!c)
		return;
	__u64 pending = LOOK(c->pending);
	if (!pending || pending != bpf_get_smp_processor_id() + 1)
		return;
	if (__sync_val_compare_and_swap(&c->pending, pending, 0) != pending)
		return;
	c->rehearsed = 1;
	if (LOOK(c->state) == LKD_TAKEN)
		c->freeze = c->sequence;
}

/* Asks for that interrupt, which also wakes a thread on every CPU. */
static __always_inline void ask(struct lkd_ctl *c)
{
	__u64 sequence = c->sequence;
	bpf_ringbuf_output(&lkd_wake, &sequence, sizeof(sequence), BPF_RB_FORCE_WAKEUP);
}

#endif
