"""Judges a dump with drgn: one line per claim, `ok NAME: what was seen` or `FAILED NAME: why`.

usage: check.py VMLINUX DUMP [COMM VALUE]

With COMM and VALUE, the task of that name must be the one that ran into the probe, its system call must have returned
VALUE, and its stack must unwind from the registers in the dump up to user space.
"""

import sys
import traceback

import drgn
from drgn.helpers.linux import (
    cpu_curr,
    for_each_module,
    for_each_online_cpu,
    for_each_pid,
    for_each_task,
    get_dmesg,
    pid_task,
    task_state_to_char,
)

# A smeared dump may show a process on one of the two lists that was on its way in or out.
IN_MOTION = 2

failures = 0


def claim(name, check, *args):
    """Tells whether `check` holds; it gives a text, or raises."""
    global failures
    try:
        print(f"ok {name}: {check(*args)}")
    except Exception as why:
        failures += 1
        where = traceback.extract_tb(why.__traceback__)[-1]
        print(f"FAILED {name}: {type(why).__name__}: {why} (line {where.lineno})")


def must(condition, why):
    if not condition:
        raise AssertionError(why)


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


def trigger(prog, name, value):
    running = {}
    for cpu in for_each_online_cpu(prog):
        running[cpu] = cpu_curr(prog, cpu)
    mine = [(cpu, task) for cpu, task in running.items() if comm(task) == name]
    must(mine, f"no CPU runs {name}: {[comm(task) for task in running.values()]}")
    cpu, task = mine[0]
    trace = prog.stack_trace(task)
    names = [frame.name for frame in trace]
    must(any("syscall" in frame for frame in names), f"no system call in {names}")
    values = [frame.registers().get("rax") for frame in trace]
    must(value in values, f"rax of no frame is {value:#x}: {[hex(v) for v in values if v is not None]}")
    return f"pid {task.pid.value_()} on CPU {cpu}, {' < '.join(names)}"


def main():
    prog = drgn.Program()
    prog.set_core_dump(sys.argv[2])
    prog.load_debug_info([sys.argv[1]])
    for check in (banner, tasks, log, modules, sleepers):
        claim(check.__name__, check, prog)
    if len(sys.argv) > 4:
        claim("trigger", trigger, prog, sys.argv[3], int(sys.argv[4], 0))
    return 1 if failures else 0


sys.exit(main())
