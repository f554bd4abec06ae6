// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The pages of the process that pulled the trigger: before those of all others, which classification finds. */
#ifndef LKD_USER_H
#define LKD_USER_H

/* By the trigger's CPU, while others classify.  A thread of the kernel's has no pages of a process.  What it does not list in
 * time stands in the lane of all processes' pages. */
static __always_inline void list_owner(struct lkd_ctl *c, const struct lkd_shot *shot, __u64 deadline_ns)
{
	struct task_struct *task = (void *)shot->task;
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	if (!mm)
		return;
	__u64 pgd = (__u64)BPF_CORE_READ(mm, pgd);
	walk_user(c, pgd, 0, ~0ull, LKD_LANE_OWNER, deadline_ns);
}

#endif
