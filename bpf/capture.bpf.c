// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The capture engine's programs.
 *
 *   kernel.h    the kernel's structs that are touched        shot.h     what is recorded at the probe
 *   engine.h    what is shared with user space               maps.h     where
 *   classify.h  one page's class    scan.h  all pages'       copy.h     the pages
 *   walk.h      page tables         user.h  the trigger's process, and guests.h  virtual machines, as vm.h records them
 *   mini.h      a minidump's
 *   x86.h       the machine's own   stop.h  all CPUs stand   trigger.h  the whole walk
 *
 * lkd_trigger_*: entered by a tail call from a generated program, one per program type (the kernel lets a program tail-call
 * only into its like).  The others are run by user space through BPF_PROG_TEST_RUN.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "shot.h"
#include "engine.h"
#include "maps.h"
#include "classify.h"
#include "scan.h"
#include "copy.h"
#include "walk.h"
#include "user.h"
#include "vm.h"
#include "guests.h"
#include "mini.h"
#include "x86.h"
#include "stop.h"
#include "trigger.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("raw_tp")
int lkd_trigger_raw_tp(void *ctx)
{
	return trigger(ctx, 0, 0, 0);
}

SEC("kprobe")
int lkd_trigger_kprobe(void *ctx)
{
	return trigger(ctx, ctx, REGS_ALL, 0);
}

SEC("kprobe.multi")
int lkd_trigger_kprobe_multi(void *ctx)
{
	return trigger(ctx, ctx, fprobe_regs(), 0);
}

SEC("perf_event")
int lkd_trigger_perf_event(void *ctx)
{
	/* the kernel's own context starts with a pointer to the registers; an address in ctx itself would not be rewritten */
	void *regs = 0;
	bpf_probe_read_kernel(&regs, sizeof(regs), ctx);
	return trigger(ctx, regs, REGS_ALL, 1);
}

/* on irq_work_entry */
SEC("raw_tp")
int lkd_begin(void *ctx)
{
	begin();
	return 0;
}

/* On the entries of the other interrupts that every CPU takes, and on irq_work_exit: that interrupt's work, which wakes the
 * others, is done by then. */
SEC("raw_tp")
int lkd_stop(void *ctx)
{
	stop(0, LKD_BY_INTERRUPT);
	return 0;
}

/* on a CPU's clock event, where the entries of interrupts cannot be had */
SEC("perf_event")
int lkd_stop_perf(void *ctx)
{
	void *regs = 0;
	bpf_probe_read_kernel(&regs, sizeof(regs), ctx);
	stop(regs, LKD_BY_PERF);
	return 0;
}

/* Does the interrupt that a trigger asks for come?  And do the threads wake up?  Tried before anything depends on it. */
SEC("raw_tp")
int lkd_rehearse(void *ctx)
{
	struct lkd_ctl *c = ctl();
	if (!c)
		return -1;
	__sync_lock_test_and_set(&c->pending, bpf_get_smp_processor_id() + 1);
	ask(c);
	return 0;
}

/* Classify what is left, without a freeze: sizing before arming, and the rest after a deadline. */
SEC("raw_tp")
int lkd_classify(void *ctx)
{
	struct lkd_ctl *c = ctl();
	return c ? classify_share(c, c->deadline_ns) : -1;
}

/* What this task's file pipe_fd is to whoever made it: a pipe, a virtual machine. */
static __always_inline void *own_file(struct lkd_ctl *c)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file **files = BPF_CORE_READ(task, files, fdt, fd), *file = 0;
	bpf_probe_read_kernel(&file, sizeof(file), files + c->pipe_fd);
	return BPF_CORE_READ(file, private_data);
}

/* Where does this task stand, and where is the struct page behind the first buffer of the pipe pipe_fd? */
SEC("raw_tp")
int lkd_bases(void *ctx)
{
	struct lkd_ctl *c = ctl();
	if (!c)
		return -1;
	struct task_struct *task = (void *)bpf_get_current_task();
	c->found_task = (__u64)task;
	c->page_struct = PAGE_STRUCT;
	c->run_queue = bpf_core_type_size(struct rq);
	if (c->pipe_fd < 0)
		return 0;
	struct pipe_inode_info *pipe = own_file(c);
	struct pipe_buffer *bufs = BPF_CORE_READ(pipe, bufs);
	c->found_page = (__u64)BPF_CORE_READ(bufs, page);
	return 0;
}

/* Where is the struct kvm of the virtual machine pipe_fd? */
SEC("raw_tp")
int lkd_machine(void *ctx)
{
	struct lkd_ctl *c = ctl();
	if (!c || c->pipe_fd < 0)
		return -1;
	c->found_page = (__u64)own_file(c);
	return 0;
}

static long peek(__u32 i, struct lkd_ctl *unused)
{
	__u32 key = i;
	struct lkd_ctl *c = ctl();
	struct lkd_peek *p = bpf_map_lookup_elem(&lkd_peeks, &key);
	char *to = bpf_map_lookup_elem(&lkd_bounce, &key);
	if (!c || !p || !to || !p->len)
		return 1;
	__u32 len = p->len & 8191;
	if (len > 4096)
		return 1;
	if (p->pfn_check && !still_kept(c, p->pfn_check - 1))
		p->result = -2; /* the page has changed hands */
	else
		p->result = bpf_probe_read_kernel(to, len, (void *)p->vaddr);
	return 0;
}

/* Read what stands in lkd_peeks (up to the first of length 0) into lkd_bounce. */
SEC("raw_tp")
int lkd_peek(void *ctx)
{
	return bpf_loop(LKD_PEEKS, peek, 0, 0);
}

/* Copy what is left and has room, without a freeze: after a deadline. */
SEC("raw_tp")
int lkd_copy(void *ctx)
{
	struct lkd_ctl *c = ctl();
	return c ? (int)copy_share(c, c->deadline_ns, LKD_LANES, 1) : -1;
}

/* The tasks of a minidump that the freeze had no time for. */
SEC("raw_tp")
int lkd_mini(void *ctx)
{
	struct lkd_ctl *c = ctl();
	return c ? list_mini(c->deadline_ns) : -1;
}

/* The virtual machines that the freeze had no time for. */
SEC("raw_tp")
int lkd_guests(void *ctx)
{
	struct lkd_ctl *c = ctl();
	return c ? (int)list_guests(c, c->deadline_ns) : -1;
}
