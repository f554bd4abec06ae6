// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The part of a minidump that only the moment of the shot knows: every task, its stack, and what names it.
 *
 * User space has listed what never moves (crates/capture/src/mini.rs).  Here the trigger's CPU follows the kernel's own lists, in a
 * freeze nobody changes them.  Where the machine runs on they may be torn: each read may fail, each list ends by a count and by the
 * deadline.
 *
 *   init_task ── tasks ── threads ──▶ task_struct, stack, pid, signal, mm and its counters
 *   of those that run ──▶ the code that the stack returns to
 *   every CPU's idle and current task, which no list has
 *   the table of pids ──▶ its nodes, every pid
 */
#ifndef LKD_MINI_H
#define LKD_MINI_H

#define MINI_PARENTS (1 << 16) /* from a task up to init_task */
#define MINI_TASKS (1 << 18)
#define MINI_PIDS (1 << 23) /* places in the table of pids that are looked at */
#define KERNEL_HALF (1ull << 63)
#define WORDS (4096 / 8)
/* its last member is an array without a length */
#define PID_BYTES (bpf_core_type_size(struct pid) + bpf_core_type_size(struct upid))

/* Lists a page frame, once.  True if there is no room for more. */
static __always_inline int mini_frame(struct lkd_ctl *c, struct lkd_mini *s, __u64 pfn)
{
	if (!list_once(c, pfn, LKD_LANE_MINI))
		return 0;
	s->status |= LKD_BUFFER_SMALL;
	return 1;
}

/* One level down: the table, and where its entry leads.  Ends with the frame behind the address in s->frame (+ 1), or 0. */
static long mini_level(__u32 i, struct walk *both)
{
	struct lkd_ctl *c = both->c;
	struct lkd_mini *s = &both->w->mini;
	__u64 level = s->level & 7, shift = 12 + 9 * level, entry = 0;
	if (mini_frame(c, s, (s->table - c->page_offset) >> 12))
		return 1;
	if (!level)
		s->lowest = s->table;
	bpf_probe_read_kernel(&entry, 8, (void *)(s->table + ((s->at >> shift) & (TABLE_ENTRIES - 1)) * 8));
	if (!(entry & PTE_PRESENT))
		return 1;
	__u64 pfn = (entry & PTE_ADDRESS & ~c->sme_mask) >> 12;
	if (!level || (level <= LEVEL_PUD && entry & PTE_LARGE)) {
		__u64 inside = (1ull << (shift - 12)) - 1;
		s->frame = (pfn & ~inside) + ((s->at >> 12) & inside) + 1;
		return 1;
	}
	s->table = c->page_offset + (pfn << 12);
	s->level = level - 1;
	return !marks_of(c, pfn);
}

/* The page behind a kernel address, and the page tables on the way to it. */
static long mini_page(__u32 i, struct walk *both)
{
	struct lkd_ctl *c = both->c;
	struct lkd_mini *s = &both->w->mini;
	if (s->at >= s->end || s->at < KERNEL_HALF || s->status)
		return 1;
	if (in_direct_map(c, s->at)) {
		s->frame = ((s->at - c->page_offset) >> 12) + 1;
	} else {
		/* a table of the lowest level serves its 512 pages */
		int again = s->lowest && s->lowest_at == s->at >> 21;
		s->table = again ? s->lowest : s->pgd;
		s->level = again ? 0 : c->levels - 1;
		s->frame = 0;
		s->lowest = 0;
		s->lowest_at = s->at >> 21;
		bpf_loop(5, mini_level, both, 0);
	}
	s->at += 4096;
	return s->frame ? mini_frame(c, s, s->frame - 1) : 0;
}

/* The pages of an object, at most 16; a function that the verifier walks by itself, once for all who call it. */
__noinline int mini_object(__u64 vaddr, __u64 bytes)
{
	__u32 key = 0;
	struct walk both = { .c = ctl(), .w = bpf_map_lookup_elem(&lkd_scratch, &key) };
	if (!both.c || !both.w)
		return 0;
	struct lkd_mini *s = &both.w->mini;
	s->at = vaddr & ~4095ull;
	s->end = vaddr + bytes;
	bpf_loop(16, mini_page, &both, 0);
	return 0;
}

/* A word of a stack: the code that it may return to, which crash reads to see how large a frame is.  A function may begin on the
 * page before. */
static long mini_word(__u32 i, struct walk *both)
{
	struct lkd_ctl *c = both->c;
	struct lkd_mini *s = &both->w->mini;
	__u64 *words = (__u64 *)both->w->vmemmap;
	__u64 word = words[i & (WORDS - 1)];
	if (word < c->text_first || word >= c->text_end)
		return 0;
	__u64 pfn = c->image_first + ((word - c->text_first) >> 12);
	return mini_frame(c, s, pfn) || (pfn > c->image_first && mini_frame(c, s, pfn - 1));
}

static long mini_words(__u32 i, struct walk *both)
{
	struct lkd_mini *s = &both->w->mini;
	if (s->at >= s->end || s->status)
		return 1;
	if (!bpf_probe_read_kernel(both->w->vmemmap, 4096, (void *)s->at))
		bpf_loop(WORDS, mini_word, both, 0);
	s->at += 4096;
	return 0;
}

/* The stack of a task that runs.  Where one that sleeps stands is known exactly; here any word may be a place to return to. */
__noinline int mini_code(__u64 stack)
{
	__u32 key = 0;
	struct walk both = { .c = ctl(), .w = bpf_map_lookup_elem(&lkd_scratch, &key) };
	if (!both.c || !both.w)
		return 0;
	both.w->mini.at = stack;
	both.w->mini.end = stack + LKD_STACK_BYTES;
	bpf_loop(LKD_STACK_BYTES / 4096, mini_words, &both, 0);
	return 0;
}

/* Of a task: its type's, and the FPU's registers behind it where it does not count them. */
static __always_inline __u64 task_bytes(const struct lkd_ctl *c)
{
	__u64 typed = bpf_core_type_size(struct task_struct);
	return c->task_bytes > typed ? c->task_bytes : typed;
}

/* A task, and what names it. */
__noinline int mini_task(__u64 vaddr)
{
	struct task_struct *task = (void *)vaddr;
	if (vaddr < KERNEL_HALF)
		return 0;
	struct lkd_ctl *c = ctl();
	if (!c)
		return 0;
	mini_object(vaddr, task_bytes(c));
	__u64 stack = (__u64)BPF_CORE_READ(task, stack);
	mini_object(stack, LKD_STACK_BYTES);
	mini_object((__u64)BPF_CORE_READ(task, thread_pid), PID_BYTES);
	mini_object((__u64)BPF_CORE_READ(task, signal), bpf_core_type_size(struct signal_struct));
	mini_object((__u64)BPF_CORE_READ(task, mm), bpf_core_type_size(struct mm_struct));
	if (BPF_CORE_READ(task, on_cpu))
		mini_code(stack);
	return 0;
}

/* A CPU's part of a per-CPU variable. */
static long mini_counter(__u32 i, struct walk *both)
{
	__u64 distance = 0;
	bpf_probe_read_kernel(&distance, 8, (void *)(both->c->per_cpu_offset + i * 8ull));
	if (distance)
		mini_object(both->w->mini.counters + distance, 4);
	return both->w->mini.status != 0;
}

/* How much memory a process has: each CPU counts its part (crash gives up its list of tasks where it cannot read them). */
__noinline int mini_counters(__u64 vaddr)
{
	__u32 key = 0;
	struct walk both = { .c = ctl(), .w = bpf_map_lookup_elem(&lkd_scratch, &key) };
	if (!both.c || !both.w || !both.c->per_cpu_offset || vaddr < KERNEL_HALF)
		return 0;
	if (!bpf_core_field_exists(struct mm_struct___counted, rss_stat) || !bpf_core_field_exists(struct percpu_counter, counters))
		return 0;
	struct lkd_mini *s = &both.w->mini;
	__u64 slots = both.c->cpu_slots;
	__u64 at = vaddr + bpf_core_field_offset(struct mm_struct___counted, rss_stat);
	at += bpf_core_field_offset(struct percpu_counter, counters);
	for (__u32 i = 0; i < 4; i++, at += bpf_core_type_size(struct percpu_counter)) {
		__u64 counters = 0;
		bpf_probe_read_kernel(&counters, 8, (void *)at);
		__u64 *counted = &s->counted[(counters >> 12) & 15];
		if (!counters || *counted == counters >> 12)
			continue;
		*counted = counters >> 12;
		s->counters = counters;
		bpf_loop(slots < 8192 ? slots : 8192, mini_counter, &both, 0);
	}
	return 0;
}

static __always_inline int mini_late(struct lkd_mini *s)
{
	if (bpf_ktime_get_ns() > s->deadline_ns)
		s->status |= LKD_DEADLINE;
	return s->status;
}

/* One thread; behind the last one of a process, the next process. */
static long mini_thread(__u32 i, struct walk *both)
{
	struct lkd_mini *s = &both->w->mini;
	struct task_struct *leader = (void *)s->leader, *thread = (void *)s->thread;
	if (mini_late(s))
		return 1;
	mini_task(s->thread);
	if (s->thread == s->leader)
		mini_counters((__u64)BPF_CORE_READ(leader, mm));
	struct list_head *next = BPF_CORE_READ(thread, thread_node.next);
	struct signal_struct *signal = BPF_CORE_READ(leader, signal);
	__u64 head = (__u64)signal + bpf_core_field_offset(struct signal_struct, thread_head);
	if (next && (__u64)next != head) {
		s->thread = (__u64)next - bpf_core_field_offset(struct task_struct, thread_node);
		return 0;
	}
	next = BPF_CORE_READ(leader, tasks.next);
	s->leader = (__u64)next - bpf_core_field_offset(struct task_struct, tasks);
	s->thread = s->leader;
	return !next || s->leader == s->first;
}

/* A CPU's idle task, and the task that stands still on it. */
static long mini_cpu(__u32 i, struct walk *both)
{
	__u32 key = i;
	struct lkd_cpu *cpu = bpf_map_lookup_elem(&lkd_cpus, &key);
	if (!cpu || mini_late(&both->w->mini))
		return 1;
	mini_task(cpu->idle);
	if (cpu->expected)
		mini_task(cpu->state.task);
	return 0;
}

/* A place in the table of pids.  The table is a tree of nodes with 64 places each; the way down begins at the top again behind a
 * node's end. */
static long mini_pid(__u32 i, struct walk *both)
{
	struct lkd_mini *s = &both->w->mini;
	if (!(i & 63) && mini_late(s))
		return 1;
	if (!s->node) {
		s->node = s->top;
		mini_object(s->node, bpf_core_type_size(struct xa_node));
	}
	struct xa_node *node = (void *)s->node;
	__u64 shift = BPF_CORE_READ(node, shift) & 63, entry = 0;
	__u64 place = (s->index >> shift) & 63;
	if (s->index >> shift > 63 && s->node == s->top)
		return 1;
	bpf_probe_read_kernel(&entry, 8, &node->slots[place]);
	/* a node's address has bit 1 set where it stands in another one */
	if (shift && (entry & 3) == 2 && entry > 4096) {
		s->node = entry - 2;
		mini_object(s->node, bpf_core_type_size(struct xa_node));
		return 0;
	}
	if (!shift && !(entry & 3) && entry)
		mini_object(entry, PID_BYTES);
	s->index = ((s->index >> shift) + 1) << shift;
	if (place == 63)
		s->node = 0;
	return 0;
}

/* init_task is its own parent. */
static long mini_parent(__u32 i, struct walk *both)
{
	struct lkd_mini *s = &both->w->mini;
	struct task_struct *task = (void *)s->first;
	__u64 parent = (__u64)BPF_CORE_READ(task, real_parent);
	if (!parent || parent == s->first)
		return 1;
	s->first = parent;
	return 0;
}

/* Gives lkd_status bits: what ended it before all were listed.  By the trigger's CPU; after the thaw by user space, which lists what is
 * not marked yet. */
__noinline int list_mini(__u64 deadline_ns)
{
	__u32 key = 0;
	struct walk both = { .c = ctl(), .w = bpf_map_lookup_elem(&lkd_scratch, &key) };
	if (!both.c || !both.w)
		return LKD_DEADLINE;
	struct lkd_mini *s = &both.w->mini;
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 cut = 0; /* not in s->status, which ends everything */
	s->deadline_ns = deadline_ns;
	s->status = 0;
	s->lowest = 0;
	__builtin_memset(s->counted, 0, sizeof(s->counted));
	/* the kernel's half of every address space has the same tables, below the top one */
	s->pgd = (__u64)BPF_CORE_READ(task, active_mm, pgd);
	s->first = (__u64)task;
	if (bpf_loop(MINI_PARENTS, mini_parent, &both, 0) == MINI_PARENTS)
		cut = LKD_CUT;
	/* the one that matters most */
	mini_task((__u64)task);
	__u64 slots = both.c->cpu_slots;
	bpf_loop(slots < 8192 ? slots : 8192, mini_cpu, &both, 0);
	s->leader = s->first;
	s->thread = s->first;
	if (bpf_loop(MINI_TASKS, mini_thread, &both, 0) == MINI_TASKS)
		cut = LKD_CUT;
	struct task_struct *first = (void *)s->first;
	struct pid_namespace *ns = BPF_CORE_READ(first, thread_pid, numbers[0].ns);
	s->top = (__u64)BPF_CORE_READ(ns, idr.idr_rt.xa_head);
	s->index = 0;
	s->node = 0;
	if ((s->top & 3) == 2) {
		s->top -= 2;
		if (bpf_loop(MINI_PIDS, mini_pid, &both, 0) == MINI_PIDS)
			cut = LKD_CUT;
	}
	return s->status | cut;
}

#endif
