"""Judges a dump with drgn: one line per claim, `ok NAME: what was seen` or `FAILED NAME: why`.

usage: check.py VMLINUX DUMP [COMM VALUE]

In every dump the shot (lkd's own note) must name the task that its CPU ran, that task must unwind to the addresses that the
kernel's own unwinder found at the probe, and a smeared dump's pages must be torn. In a consistent one every CPU's registers
lead to where kernel stacks begin, or to user space. With COMM and VALUE, the shot's task must have this name and must stand
at the end of a system call that returned VALUE: the innermost frame is the tracepoint's, and the stack unwinds from the
registers in the dump up to user space, whose rax is VALUE.
"""

import struct
import sys

import drgn
from drgn.helpers.linux import (
    cpu_curr,
    for_each_module,
    for_each_online_cpu,
    for_each_pid,
    for_each_task,
    get_dmesg,
    idle_task,
    list_for_each_entry,
    per_cpu,
    per_cpu_ptr,
    pid_task,
    task_state_to_char,
)

from claims import claim, failed, must

# A smeared dump may show a process on one of the two lists that was on its way in or out.
IN_MOTION = 2

# Every note of ours has this name; the types count up from "LKD" and 1.
NOTE_NAME = b"LKD\0"
NOTE_SHOT = 0x4C4B4401
SHOT_BYTES = 2048
NOTE_TORN = 0x4C4B4403
# A run: first page, pages, from and to in nanoseconds, why (0: copied while other CPUs ran; 1: read after the thaw), 0.
TORN = struct.Struct("<QQQQII")
# The notes stand before the pages.
NOTES_WITHIN = 8 << 20

# What lkd()'s argument asks for.
MINI = 2
KINDS = {0: "kernel", 1: "user", 2: "mini", 4: "hypervisor", 5: "all"}

# x86-64's, without KASAN.
THREAD_SIZE = 16384

# The functions that a tracepoint at a system call's end may be inlined into.
AT_EXIT = (
    "trace_sys_exit",
    "trace_syscall_exit",
    "__do_trace_sys_exit",
    "syscall_exit_",
    "syscall_trace_exit",
    "do_syscall_64",
)

# Between a probe and the trigger's own program.
MACHINERY = ("bpf_", "__bpf_", "__traceiter_", "dispatcher_")

# Through which user code enters the kernel when it is interrupted, not by a call or a fault of its own.
INTERRUPTS = ("asm_sysvec_", "asm_common_interrupt", "asm_spurious_interrupt")

# Jumps and returns that the kernel patches at boot, to several instructions with a stack of their own: it tells unwinders nothing of them.
THUNKS = ("__x86_indirect_", "__x86_return_", "retbleed_", "srso_", "zen_untrain_", "entry_untrain_")

# Where the stacks of kernel threads, of system calls, of interrupts and of idle CPUs begin.
ROOTS = ("ret_from_fork", "entry_SYSCALL", "asm_", "secondary_startup", "common_startup", "start_kernel", "cpu_startup_entry")


def comm(task):
    return task.comm.string_().decode(errors="replace")


def banner(prog):
    text = prog["linux_banner"].string_().decode().strip()
    must(text.startswith("Linux version "), f"linux_banner is {text[:40]!r}")
    return text[:60]


def tasks(prog):
    """The list that hangs off init_task and the table of pids must name the same tasks."""
    walked = {task.pid.value_() for task in for_each_task(prog)} - {0}
    kind = prog["PIDTYPE_PID"]
    numbered = set()
    for pid in for_each_pid(prog):
        task = pid_task(pid, kind)
        if task:
            numbered.add(task.pid.value_())
    must(len(walked) >= 20, f"only {len(walked)} tasks")
    odd = walked ^ numbered
    must(len(odd) <= IN_MOTION, f"on one list only: {sorted(odd)}")
    return f"{len(walked)} walked, {len(numbered)} by pid, {len(odd)} on one list only"


def log(prog):
    text = get_dmesg(prog).decode(errors="replace")
    must("Linux version " in text, "the log does not begin with the kernel's version")
    return f"{len(text.splitlines())} lines, the last: {text.splitlines()[-1][:60]}"


def modules(prog):
    names = sorted(module.name.string_().decode() for module in for_each_module(prog))
    must("virtio_blk" in names, f"no virtio_blk among {names}")
    return ", ".join(names)


def sleepers(prog):
    """Every sleeping task unwinds to where it gave up its CPU."""
    slept, deep, bad = 0, 0, []
    for task in for_each_task(prog):
        if task_state_to_char(task) not in "SDI":
            continue
        slept += 1
        try:
            names = [frame.name for frame in prog.stack_trace(task)]
        except Exception as why:
            bad.append(f"{comm(task)}: {why}")
            continue
        if any("schedule" in name for name in names[:3]) and len(names) >= 3:
            deep += 1
        else:
            bad.append(f"{comm(task)}: {names[:4]}")
    must(slept >= 10, f"only {slept} tasks sleep")
    # Who slept when its task was read may have run when its stack was: the tracer, the writer, the worker threads.
    must(len(bad) <= max(IN_MOTION, slept // 10), "; ".join(bad[:4]))
    return f"{deep} of {slept} unwind to schedule()"


def shot_of(dump):
    """The shot's fields that are judged here, by the table in crates/dump/src/shot.rs."""
    with open(dump, "rb") as file:
        head = file.read(NOTES_WITHIN)
    at = head.find(struct.pack("<III", len(NOTE_NAME), SHOT_BYTES, NOTE_SHOT) + NOTE_NAME)
    must(at >= 0, "the dump has no note of a shot")
    note = head[at + 16 : at + 16 + SHOT_BYTES]
    must(note[:8] == b"LKDSHOT1", f"magic {note[:8]!r}")
    text = lambda start, length: note[start : start + length].split(b"\0")[0].decode(errors="replace")
    word = lambda start: struct.unpack_from("<I", note, start)[0]
    long = lambda start: struct.unpack_from("<Q", note, start)[0]
    at = head.find(struct.pack("<I", NOTE_TORN) + NOTE_NAME)
    must(at >= 8, "the dump has no note of torn pages")
    (length,) = struct.unpack_from("<I", head, at - 4)
    return {
        "torn": list(TORN.iter_unpack(head[at + 8 : at + 8 + length])),
        "triggered_ns": long(96),
        "thawed_ns": long(120),
        "flags": word(16),
        "cpu": word(32),
        "pid": word(40),
        "consistency": word(132),
        "cpus_online": word(136),
        "cpus_stopped": word(140),
        "comm": text(144, 16),
        "task": long(160),
        "frame": long(168),
        "kstack": struct.unpack_from(f"<{word(600)}Q", note, 608),
        "probe": ":".join(text(*place) for place in ((1552, 64), (1616, 64), (1680, 128), (1808, 64))),
    }


def shot(prog, seen):
    """The note and the kernel's own structures tell of the same task, and of a freeze that was one or is called none."""
    task = cpu_curr(prog, seen["cpu"])
    must(task.value_() == seen["task"], f"CPU {seen['cpu']} runs {task.value_():#x}, the shot says {seen['task']:#x}")
    must(task.pid.value_() == seen["pid"], f"its pid is {task.pid.value_()}, the shot says {seen['pid']}")
    must(comm(task) == seen["comm"], f"it is {comm(task)}, the shot says {seen['comm']}")
    must(seen["flags"] in KINDS, f"a dump of kind {seen['flags']:#x}")
    must(
        seen["consistency"] == 0 or seen["cpus_stopped"] == seen["cpus_online"],
        f"called consistent, and {seen['cpus_stopped']} of {seen['cpus_online']} CPUs stood still",
    )
    told = "consistent" if seen["consistency"] else "smeared"
    return f"{seen['probe']}, pid {seen['pid']} ({seen['comm']}) on CPU {seen['cpu']}, {told}, {KINDS[seen['flags']]}"


def torn(seen):
    """What was not read in one moment is told: pages, and when they were read."""
    smeared = [run for run in seen["torn"] if run[4] == 0]
    late = [run for run in seen["torn"] if run[4] == 1]
    must(seen["consistency"] == 1 or smeared or late, "a smeared dump names no page that is torn")
    begin, thaw = seen["triggered_ns"], seen["thawed_ns"]
    must(all(begin <= run[2] <= run[3] <= thaw for run in smeared), f"outside {begin} to {thaw}: {smeared[:2]}")
    must(all(thaw <= run[2] <= run[3] for run in late), f"before the thaw at {thaw}: {late[:2]}")
    return f"{sum(run[1] for run in smeared)} pages within the hold, {sum(run[1] for run in late)} after it"


def called(trace):
    """The functions of a stack in the kernel that are frames of their own, innermost first: (address, name) each."""
    return [(frame.pc, frame.name or hex(frame.pc)) for frame in trace if frame.pc >> 47 and not frame.is_inline]


def interrupt_stack(prog, cpu):
    """The top word of a CPU's interrupt stack."""
    for whole, member in (("pcpu_hot", "hardirq_stack_ptr"), ("hardirq_stack_ptr", None)):
        try:
            variable = per_cpu(prog[whole], cpu)
            return (variable.member_(member) if member else variable).value_()
        except (KeyError, LookupError):
            continue
    raise LookupError("no hardirq_stack_ptr")


def symbol(prog, address):
    try:
        return prog.symbol(address).name
    except LookupError:
        return ""


def named(prog, frame):
    """A frame's function. drgn looks for the call before an address: a new task's first one (ret_from_fork) was never called."""
    return frame.name if frame.name and not frame.name.startswith("0x") else symbol(prog, frame.pc)


def in_bpf(prog, address):
    """Whether code is a BPF program's, of which no unwinder is told how its stack lies. A minidump lacks the kernel's list of them."""
    if symbol(prog, address):
        return False
    try:
        listed = list_for_each_entry("struct bpf_ksym", prog["bpf_kallsyms"].address_of_(), "lnode")
        return any(ksym.start.value_() <= address < ksym.end.value_() for ksym in listed)
    except drgn.FaultError:
        return True


def running(prog, seen):
    """What every CPU was doing: in user space, or at the end of a stack that unwinds to where kernel stacks begin."""
    told = []
    for cpu in for_each_online_cpu(prog):
        task = cpu_curr(prog, cpu)
        trace = prog.stack_trace(task)
        names = [named(prog, frame) for frame in trace]
        inner = trace[0].registers()
        must(inner.get("rip"), f"CPU {cpu} ({comm(task)}) has no registers")
        # There drgn goes by the frame pointer, which a program's first and last instructions change.
        if in_bpf(prog, inner["rip"]):
            told.append(f"{cpu}: {comm(task)} in a BPF program")
            continue
        if len(names) == 1 and names[0].startswith(THUNKS):
            told.append(f"{cpu}: {comm(task)} in {names[0]}, where nothing unwinds")
            continue
        last = trace[len(trace) - 1]
        user = last.pc >> 47 == 0
        must(
            user or any(name.startswith(ROOTS) for name in names),
            f"CPU {cpu} ({comm(task)}) does not unwind: {names} from {inner['rip']:#x}",
        )
        if cpu != seen["cpu"]:
            stack = task.stack.value_()
            top = interrupt_stack(prog, cpu) + 8
            on_a_stack = [stack <= inner["rsp"] <= stack + THREAD_SIZE, top - THREAD_SIZE <= inner["rsp"] <= top]
            must(any(on_a_stack), f"CPU {cpu}: rsp {inner['rsp']:#x} is on neither {stack:#x} nor below {top:#x}")
        # Of user code there is the interrupt's entry, which user code called by no system call and no fault of its own.
        entry = len(called(trace)) == 1
        must(not entry or user and names[0].startswith(INTERRUPTS), f"CPU {cpu} ({comm(task)}) is said to be in user space: {names}")
        told.append(f"{cpu}: {comm(task)} in {'user space' if entry else names[0]}")
        # For whoever compares: the functions that crash must show, too.
        print("stack", cpu, *(name for _, name in called(trace)))
    must(len(told) == seen["cpus_online"], f"{len(told)} CPUs are online, the shot says {seen['cpus_online']}")
    return ", ".join(told)


def chain(prog, seen):
    """The triggering task unwinds to the addresses that the kernel's own unwinder found at the probe, down to the probe itself."""
    ours = called(prog.stack_trace(cpu_curr(prog, seen["cpu"])))
    theirs = seen["kstack"]
    if not theirs and len(ours) == 1 and ours[0][1].startswith(INTERRUPTS):
        return f"at the probe it was in user space, interrupted by {ours[0][1]}"
    first = theirs.index(ours[0][0]) if ours and ours[0][0] in theirs else len(theirs)
    kept = theirs[first:]
    # a shot has room for so many
    seen_whole = len(theirs) < 64
    same = kept == tuple(pc for pc, _ in ours)[: len(kept)] and (not seen_whole or len(kept) == len(ours))
    must(kept and same, f"{ours}, at the probe {[hex(pc) for pc in theirs]}")
    above = [symbol(prog, pc) for pc in theirs[:first]]
    must(all(not name or name.startswith(MACHINERY) for name in above), f"these are missing: {above}")
    return f"{' < '.join(name for _, name in ours)}, {len(kept)} of {len(ours)} as at the probe"


def stacks(prog, seen):
    """A minidump has the stack of every task, those that no list has too; at one moment each unwinds to where it began."""
    running = {cpu_curr(prog, cpu).value_() for cpu in for_each_online_cpu(prog)}
    idle = [idle_task(prog, cpu) for cpu in for_each_online_cpu(prog)]
    good, bad = 0, []
    for task in [*for_each_task(prog), *idle]:
        if task.value_() in running:
            continue
        # who has exited gives its stack back before its task is forgotten
        if not task.stack and task.exit_state:
            continue
        try:
            prog.read(task.stack.value_(), THREAD_SIZE)
            names = [named(prog, frame) for frame in prog.stack_trace(task)]
        except Exception as why:
            bad.append(f"{comm(task)}: {why}")
            continue
        if any(name.startswith(ROOTS) for name in names):
            good += 1
        else:
            bad.append(f"{comm(task)}: {names}")
    must(not bad, "; ".join(bad[:4]))
    return f"{good} tasks that do not run, and {len(running)} that do"


def counters(prog):
    """A minidump has what each CPU counts of the memory of every process: crash lists no task behind one that lacks it."""
    if not prog.type("struct mm_struct").has_member("rss_stat") or prog.type("struct mm_struct").member("rss_stat").type.kind != drgn.TypeKind.ARRAY:
        return "this kernel counts in mm_struct itself"
    processes = [task for task in for_each_task(prog) if task.mm and task.pid == task.tgid]
    for task in processes:
        for counter in task.mm.rss_stat:
            for cpu in for_each_online_cpu(prog):
                try:
                    per_cpu_ptr(counter.counters, cpu)[0].value_()
                except drgn.FaultError as why:
                    must(False, f"{comm(task)}, CPU {cpu}: {why}")
    must(processes, "no process has memory")
    return f"of {len(processes)} processes"


def trigger(prog, seen, name, value):
    task = cpu_curr(prog, seen["cpu"])
    must(comm(task) == name, f"CPU {seen['cpu']} runs {comm(task)}, not {name}")
    must(task.pid.value_() == seen["pid"], f"its pid is {task.pid.value_()}, the shot says {seen['pid']}")
    trace = prog.stack_trace(task)
    names = [frame.name for frame in trace]
    must(len(names) >= 3, f"only {names}")
    # The first real function, and what was inlined into it down to the tracepoint.
    outer = next(place for place, frame in enumerate(trace) if not frame.is_inline)
    at_probe = [name for name in names[: outer + 1] if name.startswith(AT_EXIT)]
    must(names[outer].startswith(AT_EXIT), f"the innermost function is not the probe's: {names}")
    must("do_syscall_64" not in at_probe[:1], f"no tracepoint's frame before the system call's: {names}")
    must(any("syscall" in frame for frame in names if frame), f"no system call in {names}")
    inner, user = trace[0].registers(), trace[len(trace) - 1].registers()
    stack = task.stack.value_()
    must(stack <= inner["rsp"] < stack + THREAD_SIZE, f"rsp {inner['rsp']:#x} is not on the stack at {stack:#x}")
    # since v6.13 the kernel may give programs stacks of their own
    apart = not stack <= seen["frame"] < stack + THREAD_SIZE
    must(apart or seen["frame"] < inner["rsp"], f"the trigger's frame {seen['frame']:#x} is not below rsp {inner['rsp']:#x}")
    must(user["rip"] >> 47 == 0, f"the last frame is not user space: rip {user['rip']:#x}")
    must(user.get("rax") == value, f"user space gets {user.get('rax', 0):#x}, not {value:#x}")
    return f"pid {task.pid.value_()} on CPU {seen['cpu']}, {' < '.join(str(name) for name in names)}"


def main():
    prog = drgn.Program()
    prog.set_core_dump(sys.argv[2])
    prog.load_debug_info([sys.argv[1]])
    for check in (banner, tasks, log, modules, sleepers):
        claim(check.__name__, check, prog)
    try:
        seen = shot_of(sys.argv[2])
    except (AssertionError, OSError) as why:
        claim("shot", must, False, str(why))
        return 1
    claim("shot", shot, prog, seen)
    claim("torn", torn, seen)
    claim("chain", chain, prog, seen)
    if seen["consistency"]:
        claim("running", running, prog, seen)
        if seen["flags"] == MINI:
            claim("stacks", stacks, prog, seen)
            claim("counters", counters, prog)
    if len(sys.argv) > 4:
        claim("trigger", trigger, prog, seen, sys.argv[3], int(sys.argv[4], 0))
    return 1 if failed else 0


sys.exit(main())
