"""Judges with drgn whether a dump's kernel image is one instant's: one line per claim, `ok NAME: …` or `FAILED NAME: …`.

usage: consistent.py VMLINUX DUMP [PLANTED]

The claims are those of `lkd selftest invariants` (crates/capture/src/invariants says why each holds at every instant), made
once more by a reader that shares nothing with it but the kernel's structures: it reads by DWARF, through drgn's own page
tables. PLANTED is what `storm` wrote. Of slabs a sample is walked.
"""

import sys
import traceback

import drgn
from drgn import FaultError, Object
from drgn.helpers.linux.idr import idr_for_each
from drgn.helpers.linux.percpu import per_cpu_ptr
from drgn.helpers.linux.slab import for_each_slab_cache

# Violations that are told of one claim; slabs that are walked of one cache.
TOLD = 4
SLABS_OF_ONE = 200
# Most elements that a list of free objects can have.
MOST_OBJECTS = 32768
STACK = 16384

failures = 0


def claim(name, check, *args):
    """Tells whether `check` holds: it gives what it looked at and a list of what is wrong. Torn images also raise."""
    global failures
    try:
        looked, wrong = check(*args)
    except Exception as why:
        where = traceback.extract_tb(why.__traceback__)[-1]
        looked, wrong = 1, [f"{type(why).__name__}: {why} (line {where.lineno})"]
    if looked and not wrong:
        print(f"ok {name}: {looked} compared")
        return
    failures += 1
    print(f"FAILED {name}: {looked} compared, {len(wrong)} wrong: {'; '.join(wrong[:TOLD])}")


def write_locked(prog, name):
    """A queued rwlock's lowest byte is 0xff while a writer has it."""
    return prog.read_u8(prog[name].address_of_().value_()) == 0xFF


def spin_locked(address):
    return address.prog_.read_u8(address.value_()) != 0


def ring(prog, head, what, wrong):
    """The links of a list, each of which must be answered by the next. A torn list ends where it makes no sense."""
    links, at, met = [], head, set()
    while True:
        try:
            following = prog.read_u64(at)
            back = prog.read_u64(following + 8)
        except FaultError as why:
            wrong.append(f"{what}: after {at:#x}: {why}")
            return links
        if back != at:
            wrong.append(f"{what}: {following:#x} after {at:#x} points back to {back:#x}")
        if following == head:
            return links
        if following in met:
            wrong.append(f"{what}: a circle that does not close, at {following:#x}")
            return links
        met.add(following)
        links.append(following)
        at = following


def offset(prog, kind, member):
    return drgn.offsetof(prog.type(f"struct {kind}"), member)


def tasks(prog, seen):
    """Processes and threads by their lists, as many as the kernel counts."""
    wrong = []
    at = offset(prog, "task_struct", "tasks")
    thread = offset(prog, "task_struct", "thread_node")
    for link in ring(prog, prog["init_task"].tasks.address_of_().value_(), "processes", wrong):
        leader = Object(prog, "struct task_struct *", link - at)
        seen["leaders"].append(leader)
        links = ring(prog, leader.signal.thread_head.address_of_().value_(), "threads", wrong)
        for link in links:
            task = Object(prog, "struct task_struct *", link - thread)
            seen["tasks"].append(task)
            if task.group_leader != leader or task.signal != leader.signal:
                wrong.append(f"task {task.pid.value_()} is not of process {leader.pid.value_()}")
        if len(links) != leader.signal.nr_threads:
            wrong.append(f"process {leader.pid.value_()} has {len(links)} threads")
    if prog["nr_threads"] != len(seen["tasks"]):
        wrong.append(f"{prog['nr_threads'].value_()} tasks are counted, {len(seen['tasks'])} linked")
    return len(seen["tasks"]), excused(prog, wrong)


def excused(prog, wrong):
    """A writer of tasklist_lock may be in the middle of it."""
    return [] if write_locked(prog, "tasklist_lock") else wrong


def children(prog, seen):
    wrong = []
    at = offset(prog, "task_struct", "sibling")
    found = {leader.value_(): 0 for leader in seen["leaders"]}
    for parent in seen["tasks"] + [prog["init_task"].address_of_()]:
        for link in ring(prog, parent.children.address_of_().value_(), "children", wrong):
            child = Object(prog, "struct task_struct *", link - at)
            if child.real_parent != parent:
                wrong.append(f"{child.value_():#x} is no child of {parent.value_():#x}")
            found[child.value_()] = found.get(child.value_(), 1) + 1
    wrong += [f"{child:#x} is {times} tasks' child, or unlisted" for child, times in found.items() if times != 1]
    return len(found), excused(prog, wrong)


def on_stacks(prog, seen, wanted):
    """Which of these addresses somebody has in hand: on a task's stack in use, on a CPU's stack of interrupts, in a register."""
    found = set()
    stacks = []
    tasks = list(seen["tasks"])
    for cpu in range(prog["nr_cpu_ids"].value_()):
        queue = per_cpu_ptr(prog["runqueues"].address_of_(), cpu)
        try:
            found |= set(prog.stack_trace(queue.curr)[0].registers().values()) & wanted
        except (LookupError, ValueError, FaultError):
            pass  # of a CPU whose registers the dump does not know the stack must do
        tasks += [queue.curr, queue.idle]
        backing = per_cpu_ptr(prog["irq_stack_backing_store"].address_of_(), cpu)
        stacks.append((backing.value_(), STACK))
    for task in tasks:
        stack, sp = task.stack.value_(), task.thread.sp.value_()
        used = 0 if task.on_cpu or not stack <= sp < stack + STACK else sp - stack
        stacks.append((stack + used, STACK - used))
    for start, length in stacks:
        try:
            memory = prog.read(start, length)
        except FaultError:
            continue
        words = {int.from_bytes(memory[at : at + 8], "little") for at in range(0, len(memory) - 7, 8)}
        found |= words & wanted
    return found


def pids(prog, seen):
    """The table of numbers names the tasks that are linked, each once; a number without a task is in somebody's hand."""
    wrong, empty = [], set()
    namespace = prog["init_pid_ns"]
    listed = {task.value_(): task.pid.value_() for task in seen["tasks"]}
    named, entries = set(), 0
    for number, entry in idr_for_each(namespace.idr.address_of_()):
        entries += 1
        pid = Object(prog, "struct pid *", entry.value_())
        if pid.numbers[0].nr.value_() != number:
            wrong.append(f"number {number} calls itself {pid.numbers[0].nr.value_()}")
        first = pid.tasks[0].first
        if not first:
            if not any(pid.tasks[kind].first for kind in range(1, 4)):
                empty.add(pid.value_())
            continue
        task = drgn.container_of(first, "struct task_struct", "pid_links[0]")
        named.add(task.value_())
        if listed.get(task.value_()) != number:
            wrong.append(f"number {number} names {task.value_():#x}, which is not linked as that")
    wrong += [f"task {pid} has no number" for task, pid in listed.items() if task not in named]
    wrong = excused(prog, wrong)
    free = sorted(empty - on_stacks(prog, seen, empty))
    # whoever takes a number's last task away gives it back before the lock
    free = free[1:] if write_locked(prog, "tasklist_lock") else free
    wrong += [f"{pid:#x} has no task, and nobody has it in hand" for pid in free]
    counted = namespace.pid_allocated.value_() & 0x7FFFFFFF
    held = spin_locked(prog["pidmap_lock"].address_of_())
    if abs(counted - entries) > (1 if held else 0):
        wrong.append(f"{counted} numbers are counted, the table has {entries}")
    return entries + len(listed), wrong


def free_objects(prog, cache, slab, at, first, objects):
    """A slab's list of free objects; its links are masked where CONFIG_SLAB_FREELIST_HARDENED."""
    count, size, link_at = 0, cache.size.value_(), cache.offset.value_()
    hardened = cache.random.value_() if hasattr(cache, "random") else None
    while at:
        if not 0 <= at - first < objects * size or (at - first) % size or count >= objects:
            raise ValueError(f"after {count} objects comes {at:#x}, which is none")
        count += 1
        link = at + link_at
        at = prog.read_u64(link)
        if hardened is not None:
            at ^= hardened ^ int.from_bytes(link.to_bytes(8, "little"), "big")
    return count


def slabs(prog, seen):
    """On each node's list and with each CPU: as many free objects as are not in use."""
    looked, odd = 0, {}
    base, size = prog["vmemmap_base"].value_(), prog.type("struct page").size
    direct = prog["page_offset_base"].value_()
    of_cache = prog.type("struct kmem_cache")
    for cache in for_each_slab_cache(prog):
        name = cache.name.string_().decode(errors="replace")
        some = []
        for number in range(prog["nr_node_ids"].value_()):
            # a node's pointer stands beside that to its barn since 7.1
            node = cache.node[number] if of_cache.has_member("node") else cache.per_node[number].node
            head = node.partial.address_of_().value_()
            # whether the list itself is whole is lkd's claim; a sample of slabs is enough here
            links = ring(prog, head, name, [])[:SLABS_OF_ONE]
            some += [Object(prog, "struct slab *", link - offset(prog, "slab", "slab_list")) for link in links]
        # since 6.19 CPUs have sheaves, and no slabs of their own
        for cpu in range(prog["nr_cpu_ids"].value_() if of_cache.has_member("cpu_slab") else 0):
            slab = per_cpu_ptr(cache.cpu_slab, cpu).slab
            some += [slab] if slab else []
        for slab in some:
            looked += 1
            try:
                objects, used = slab.objects.value_(), slab.inuse.value_()
                if slab.slab_cache != cache:
                    raise ValueError(f"it is {slab.slab_cache.value_():#x}'s")
                first = direct + (slab.value_() - base) // size * 4096
                free = free_objects(prog, cache, slab, slab.freelist.value_(), first, objects)
                if free != objects - used:
                    raise ValueError(f"{objects - used} objects are free, its list has {free}")
            except (ValueError, FaultError) as why:
                odd[slab.value_()] = f"slab {slab.value_():#x} of {name}: {why}"
    in_hand = on_stacks(prog, seen, set(odd))
    return looked, [why for slab, why in odd.items() if slab not in in_hand]


def chains(prog, seen, planted):
    """x never ahead of an earlier x nor more than 1 behind; y, which was made from x, never ahead of it."""
    lines = dict(line.split(" ", 1) for line in open(planted).read().splitlines())
    (task,) = [task for task in seen["tasks"] if task.pid == int(lines["pid"])]
    files = task.files.fdt.fd

    def count(fd):
        context = drgn.cast("struct eventfd_ctx *", files[int(fd)].private_data)
        return context.count.value_()

    x, y = ([count(fd) for fd in lines[chain].split()] for chain in "xy")
    wrong = [f"x[{place + 1}] is {b} after {a}" for place, (a, b) in enumerate(zip(x, x[1:])) if b > a]
    if max(x) - min(x) > 1:
        wrong.append(f"{max(x) - min(x)} rounds apart")
    wrong += [f"y[{place}] is {b}, its cause {a}" for place, (a, b) in enumerate(zip(x, y)) if b > a]
    return len(x) + len(y), wrong


def main():
    prog = drgn.Program()
    prog.set_core_dump(sys.argv[2])
    prog.load_debug_info([sys.argv[1]])
    seen = {"leaders": [], "tasks": []}
    claim("tasks", tasks, prog, seen)
    claim("children", children, prog, seen)
    claim("pids", pids, prog, seen)
    claim("slabs", slabs, prog, seen)
    if len(sys.argv) > 3:
        claim("chains", chains, prog, seen, sys.argv[3])
    return 1 if failures else 0


sys.exit(main())
