"""Shows a person what drgn reads in a dump: the kernel, the task that ran into the probe, the log's end.

usage: show.py VMLINUX DUMP [COMM]
"""

import sys

import drgn
from drgn.helpers.linux import cpu_curr, for_each_online_cpu, for_each_task, get_dmesg


def registers(frame, names):
    """The registers of a frame that the dump knows, four to a line."""
    known = frame.registers()
    known = [(name, known[name]) for name in names if name in known]
    for start in range(0, len(known), 4):
        print("        " + "".join(f" {name:>6} {value:016x}" for name, value in known[start : start + 4]))


def main():
    prog = drgn.Program()
    prog.set_core_dump(sys.argv[2])
    prog.load_debug_info([sys.argv[1]])
    print("kernel  ", prog["linux_banner"].string_().decode().strip())
    print("tasks   ", sum(1 for _ in for_each_task(prog)))
    for cpu in for_each_online_cpu(prog):
        task = cpu_curr(prog, cpu)
        name = task.comm.string_().decode()
        print(f"CPU {cpu}    pid {task.pid.value_()} ({name})")
        if len(sys.argv) > 3 and name != sys.argv[3]:
            continue
        try:
            trace = prog.stack_trace(task)
        except (LookupError, ValueError) as why:
            print(f"         {why}")
            continue
        if not len(trace):
            print("         its registers are not in the dump")
            continue
        for frame in trace:
            print(f"         {frame}")
        print("         in the kernel, at the probe:")
        registers(trace[0], ("rip", "rsp", "rbp", "rflags"))
        print("         in user space, at the system call and with what it returned in rax:")
        registers(trace[-1], ("rax", "rdi", "rsi", "rdx", "r10", "r8", "rip", "rsp"))
    print("log      (its last 10 lines)")
    for line in get_dmesg(prog).decode(errors="replace").splitlines()[-10:]:
        print(f"         {line}")


main()
