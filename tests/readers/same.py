"""Judges whether lkd's dump and QEMU's are of the same instant: page by page, and whose each word is that differs.

usage: same.py VMLINUX OURS THEIRS

Both are ELF cores of one boot; QEMU's was taken right after lkd's machine had thawed, so it has what was written since, and
nothing else may differ. Each word that does is named by its owner (owners.py), and each owner must be one who writes in those
microseconds, for a reason that is told. Of a task it must be seen that it ran, was woken or waits to run. The other way round: a page of the
kernel that QEMU's image has must be in ours, unless it is a buffer of lkd's own.
"""

import collections
import re
import struct
import sys

import drgn
from drgn import FaultError, Object
from drgn.helpers.linux import for_each_task

from owners import PAGE, Image, Owners

# Of a hundred thousand pages, more than these do not change in microseconds.
MOST = 2000
TOLD = 12

# Who writes when a machine goes on that stood still for a second, and why: what was seen, no more.
REASONS = (
    ("lkd's own maps, what waits for them, and its programs' counters", r"""
        vmalloc\ by\ (array_map_alloc|ringbuf_map_alloc) | (kmalloc-[\w-]+\ of\ )?eventpoll_epi
        | per-CPU\ memory\ of\ vmalloc\ by\ bpf_prog_(re)?alloc\w*"""),
    ("interrupts that waited: stacks, entries, counts", r"""
        interrupt\ stack | per-CPU\ (irq_stack_backing_store | entry_stack_storage | cpu_tss_rw | irq_stat | kstat
        | __irq_regs | __preempt_count | pcpu_hot | fixed_percpu_data | context_tracking | call_single_queue | cpu_tlbstate | cpu_tlbstate_shared
        | lapic_events | perf_throttled_seq)"""),
    ("the clock, and timers that were due", r"""
        image\ (jiffies_64 | jiffies_seq | last_jiffies_update | tick_next_period | tk_core | tk_fast_mono | tk_fast_raw
        | shadow_timekeeper | _vdso_data | hpet | clocksource_tsc | watchdog_timer | watchdog_max_interval
        | tick_do_timer_cpu | __gtod_offset)
        | per-CPU\ (hrtimer_bases | timer_bases | tick_cpu_sched | sched_clock_data | tmigr_cpu | watchdog_hrtimer
        | watchdog_report_ts | watchdog_touch_ts | hrtimer_interrupts | vmstat_work)
        | per-CPU\ [\w.]*work\.(timer\.(entry | expires | flags) | work\.(data | entry))
        | kmalloc-[\w-]+\ of\ per-CPU\ tmigr_cpu | timer\ or\ work\ of\ \w+
        | image\ [\w.]*(timer | work)\.(entry | expires | flags | data | work)
        | (per-CPU\ memory\ of\ )?(kmalloc-[\w-]+\ of\ )+request_queue\.stats
        | image\ (tcp_orphan_timer | shepherd | flush_last_time | global_wb_domain) | request_queue\.timeout(_work)?"""),
    ("the scheduler: wake-ups, load, pressure, run times", r"""
        per-CPU\ (runqueues | kernel_cpustat | psi_seq | system_group_pcpu | root_cpuacct_cpuusage | cgrp_dfl_root_rstat_cpu)
        | image\ (nohz | psi_system | avenrun | calc_load_\w+) | task_group\.(load_avg|shares)
        | (kmalloc-[\w-]+\ of\ )+(image\ nohz | per-CPU\ (runqueues | sd_\w+)\b | a\ task's\ se\.\w+ | task_group\.\w+)
        | mm_struct(\.mm_cid\w* | \.mm_count | $) | per-CPU\ memory\ of\ mm_struct\.pcpu_cid"""),
    ("the kernel's log: the clock's watchdog tells that for long nobody looked", r"""
        image\ (__log_buf | _printk_rb_\w+ | printk_rb_static | printk_shared_pbufs | univ8250_console)
        | per-CPU\ console_srcu_srcu_data"""),
    ("threads that left the kernel: where their next system call's stack begins", r"per-CPU\ kstack_offset"),
    ("RCU, which was asked for", r"per-CPU\ rcu_data | image\ rcu_state"),
    ("workqueues: delayed work that was due", r"""
        per-CPU\ cpu_worker_pools | pool_workqueue | per-CPU\ memory\ of\ kmalloc-[\w-]+\ of\ image\ \w+_wq
        | (kmalloc-[\w-]+\ of\ )+image\ \w+_wq | (kmalloc-[\w-]+\ of\ )+(per-CPU\ cpu_worker_pools | pool_workqueue)"""),
)
REASONS = [(why, re.compile(f"(?:{who})(?![a-z0-9_])", re.VERBOSE)) for why, who in REASONS]


# What lkd leaves out: its own buffers.
OWN = re.compile(r"vmalloc by (array_map_alloc|ringbuf_map_alloc)$")


class Group:
    """Words of the same owner or of the same reason."""

    def __init__(self):
        self.pages, self.words, self.owners = set(), 0, set()

    def add(self, frame, owner):
        self.pages.add(frame)
        self.words += 1
        self.owners.add(owner)

    def __str__(self):
        return f"{len(self.pages)} pages, {self.words} words"


def stirred(before, after):
    """The tasks that ran, were woken or waited to run between the two images, by the number that stands in their owner's name."""

    def traces(task):
        state = task.__state if hasattr(task, "__state") else task.state
        entity = task.se
        return [
            one.value_()
            for one in (state, task.on_rq, task.on_cpu, task.nvcsw, task.nivcsw, entity.sum_exec_runtime, entity.exec_start)
        ]

    pids = set()
    for task in for_each_task(after, idle=True):
        try:
            was = traces(Object(before, "struct task_struct *", task.value_()))
        except FaultError:
            was = None
        if traces(task) != was or task.on_cpu or task.on_rq:
            pids.add(task.pid.value_())
    return pids


def reason(owner, pids):
    of_task = re.match(r"(?:task|stack of) (\d+) ", owner)
    if of_task:
        return "tasks that ran, were woken or are waiting to run: their structs and stacks" if int(of_task[1]) in pids else None
    return next((why for why, who in REASONS if who.match(owner)), None)


def compare(ours, theirs, owners, pids):
    """What was compared, the reasons found with what they explain, and what is explained by none."""
    differ, lost, reasons, others = 0, [], collections.defaultdict(Group), collections.defaultdict(Group)
    for frame in sorted(ours.at):
        mine, other = ours.page(frame), theirs.page(frame)
        if other is None:
            lost.append(frame)
            continue
        if mine == other:
            continue
        differ += 1
        words = zip(struct.unpack("<512Q", mine), struct.unpack("<512Q", other))
        for place, (one, two) in enumerate(words):
            if one != two:
                # counters of 4 bytes lie side by side
                byte = ((one ^ two) & -(one ^ two)).bit_length() - 1 >> 3
                owner = owners.whose(frame * PAGE + place * 8 + byte)
                why = reason(owner, pids)
                (reasons[why] if why else others[owner]).add(frame, owner)
    return differ, lost, reasons, others


def missing(prog, ours, theirs, owners):
    """Pages of QEMU's that kind 0 promises and we have not, by owner. Slabs, page tables and reserved pages are told by their
    struct pages; pages that the kernel has mapped by the mapping."""
    found = collections.Counter()
    ram = [(one.start.value_() // PAGE, (one.end.value_() + 1) // PAGE) for one in system_ram(prog)]
    for frame in theirs.at:
        if frame in ours.at or not any(start <= frame < end for start, end in ram):
            continue
        kind = owners.promised(frame)
        if kind:
            found[kind] += 1
    return found


def system_ram(prog):
    """The resources of this name, wherever in the tree: the kernel's own lie below them."""
    level = [prog["iomem_resource"].child]
    while level:
        one = level.pop()
        while one:
            if one.name and one.name.string_() == b"System RAM":
                yield one
            else:
                level.append(one.child)
            one = one.sibling


def names(group):
    """Owners without what numbers them, the first few."""
    short = sorted({re.sub(r"\..*| \d+(?= )", "", owner) for owner in group.owners})
    more = f" and {len(short) - TOLD} more" if len(short) > TOLD else ""
    return "; ".join(short[:TOLD]) + more


def main():
    progs = []
    for dump in sys.argv[2:4]:
        prog = drgn.Program()
        prog.set_core_dump(dump)
        prog.load_debug_info([sys.argv[1]])
        progs.append(prog)
    ours, theirs = Image(sys.argv[2]), Image(sys.argv[3])
    owners = Owners(progs[1], ours)
    differ, lost, reasons, others = compare(ours, theirs, owners, stirred(*progs))
    absent = missing(progs[1], ours, theirs, owners)
    count = len(ours.at)
    told = f"{count} pages compared, {count - differ - len(lost)} equal, {differ} written since the thaw"
    wrong = [f"{owner}: {group}" for owner, group in sorted(others.items())]
    if lost:
        wrong.append(f"{len(lost)} pages are not memory of the machine, the first {lost[0]:#x}")
    if not count or differ > max(count * MOST // 100000, 1):
        wrong.append("more differ than can be written in that time")
    print(f"FAILED same: {told}" if wrong else f"ok same: {told}")
    for line in wrong[:60]:
        print(f"    {line}")
    for why, group in sorted(reasons.items()):
        print(f"    {group}: {why} ({names(group)})")
    unexplained = {owner: number for owner, number in absent.items() if not OWN.match(owner)}
    print(f"{'FAILED' if unexplained else 'ok'} whole: {sum(absent.values())} pages of the kernel's are not in the dump")
    for owner, number in absent.most_common(20):
        own = "" if owner in unexplained else ", lkd's own"
        print(f"    {number} pages: {owner}{own}")
    return 1 if wrong or unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
