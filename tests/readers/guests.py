"""Judges with drgn the virtual machines in a dump: one line per claim, `ok NAME: …` or `FAILED NAME: …`.

usage: guests.py VMLINUX DUMP PLANTED

PLANTED is what `vmrun` wrote. The machine is found a way of its own: from the process' open files to its struct kvm, slots by the
tree that KVM sorts them in, CPUs by its xarray, memory by drgn's own walk over page tables. What lkd's note says must agree.
"""

import struct
import sys

import drgn
from drgn import cast
from drgn.helpers.linux.fs import for_each_file
from drgn.helpers.linux.mm import access_remote_vm
from drgn.helpers.linux.pid import find_task
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry
from drgn.helpers.linux.xarray import xa_for_each

from claims import claim, failed, must

# Our note and its tables, by crates/dump/src/vm.rs.
NOTE = struct.pack("<I", 0x4C4B4406) + b"LKD\0"
HEADER = struct.Struct("<IIIIII3QQ")
VM = struct.Struct("<QQQIIIIIIQ")
SLOT = struct.Struct("<QQQQIhHIIQ")
VCPU = struct.Struct("<QQIIiIIIQ32Q")
NOTES_WITHIN = 8 << 20

PATTERN = 0x6C6B64766D000000
PAGE = 4096
# The kernel's order of registers, and the note's.
REGS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip".split()


def note_of(dump):
    """The tables of the note: machines, slots, CPUs."""
    with open(dump, "rb") as file:
        head = file.read(NOTES_WITHIN)
    at = head.find(NOTE)
    must(at >= 8, "the dump has no note of virtual machines")
    at += len(NOTE)
    version, _, vms, slots, vcpus, _, *_ = HEADER.unpack_from(head, at)
    must(version == 1, f"a note of version {version}")
    at += HEADER.size
    tables = []
    for record, count in ((VM, vms), (SLOT, slots), (VCPU, vcpus)):
        tables.append([record.unpack_from(head, at + i * record.size) for i in range(count)])
        at += count * record.size
    return tables


def planted_of(path):
    told = {"slots": [], "patterns": [], "vcpus": {}}
    with open(path) as file:
        for line in file:
            words = line.split()
            if words[0] == "pid":
                told["pid"] = int(words[1], 16)
            elif words[0] == "slot":
                told["slots"].append(tuple(int(word, 16) for word in words[1:]))
            elif words[0] == "pattern":
                told["patterns"].append(tuple(int(word, 16) for word in words[1:]))
            elif words[0] == "vcpu":
                values = {k: {int(v, 16) for v in vs.split(",")} for k, vs in zip(words[2::2], words[3::2])}
                told["vcpus"][int(words[1], 16)] = values
    return told


def machine_of(prog, pid):
    """The struct kvm that a process has open."""
    for _, file in for_each_file(find_task(prog, pid)):
        if file.f_path.dentry.d_name.name.string_() == b"kvm-vm":
            return cast("struct kvm *", file.private_data)
    raise LookupError(f"process {pid} has no virtual machine open")


def slots_of(kvm):
    sets = kvm.memslots[0]
    link = sets.node_idx.value_()
    entries = rbtree_inorder_for_each_entry("struct kvm_memory_slot", sets.gfn_tree.address_of_(), f"gfn_node[{link}]")
    return [(e.id.value_(), e.base_gfn.value_() << 12, e.npages.value_(), e.userspace_addr.value_()) for e in entries]


def machine(kvm, note, told):
    must(len(note[0]) == 1, f"the note has {len(note[0])} machines")
    address, mm, pgd, pid = note[0][0][:4]
    must(address == kvm.value_(), f"the note says {address:#x}, the process has {kvm.value_():#x} open")
    must(mm == kvm.mm.value_() and pgd == kvm.mm.pgd.value_(), f"the note says mm {mm:#x}, pgd {pgd:#x}")
    must(pid == told["pid"] == kvm.userspace_pid.value_(), f"the note says process {pid}")
    return f"{address:#x} of process {pid}"


def slots(kvm, note, told):
    theirs = slots_of(kvm)
    ours = sorted(((s[5], s[1], s[2], s[3]) for s in note[1] if s[6] == 0), key=lambda s: s[1])
    must(ours == theirs, f"the note says {ours}, KVM {theirs}")
    must([s[:3] for s in ours] == told["slots"], f"the note says {ours}, vmrun {told['slots']}")
    return f"{len(ours)} slots, {sum(s[2] for s in ours)} pages"


def memory(kvm, note, gpa, pages):
    """By the note's slots, word by word."""
    for at in range(gpa, gpa + pages * PAGE, PAGE):
        slot = next(s for s in note[1] if s[6] == 0 and s[1] <= at < s[1] + s[2] * PAGE)
        words = struct.unpack("<512Q", access_remote_vm(kvm.mm, slot[3] + at - slot[1], PAGE))
        for i, word in enumerate(words):
            must(word == (at + 8 * i) ^ PATTERN, f"{at + 8 * i:#x} holds {word:#x}")
    return f"{pages} pages compared"


def untouched(kvm, note, told):
    """What the machine's process never touched has no page."""
    written = [(gpa, gpa + pages * PAGE) for gpa, pages in told["patterns"]]
    missing = 0
    for slot in note[1]:
        there = 0
        for n in range(slot[2]):
            try:
                access_remote_vm(kvm.mm, slot[3] + n * PAGE, 8)
                there += 1
            except drgn.FaultError:
                missing += 1
                gpa = slot[1] + n * PAGE
                must(not any(a <= gpa < b for a, b in written), f"{gpa:#x} was written and is not there")
        must(slot[6] or there == slot[9], f"slot {slot[5]} has {there} pages in the dump, the note says {slot[9]}")
    must(missing, "every page is there")
    return f"{missing} pages are not there"


def vcpus(kvm, note, told):
    theirs = {entry.vcpu_id.value_(): entry for entry in
              (cast("struct kvm_vcpu *", entry) for _, entry in xa_for_each(kvm.vcpu_array.address_of_()))}
    must(len(theirs) == len(note[2]) == len(told["vcpus"]), f"KVM has {len(theirs)} CPUs, the note {len(note[2])}")
    for record in note[2]:
        vcpu, valid, words = theirs[record[3]], record[8], record[9:]
        must(record[0] == vcpu.value_(), f"CPU {record[3]}: the note says {record[0]:#x}, KVM {vcpu.value_():#x}")
        for i, name in enumerate(REGS):
            kept = vcpu.arch.regs[i].value_()
            must(valid >> i & 1 and words[i] == kept, f"CPU {record[3]}: {name} is {words[i]:#x}, KVM has {kept:#x}")
            must(words[i] in told["vcpus"][record[3]][name], f"CPU {record[3]}: {name} is {words[i]:#x}")
        must(record[5] == vcpu.mode.value_() == 0, f"CPU {record[3]} is in mode {record[5]}")
    return f"{len(theirs)} CPUs, {len(REGS)} registers each"


def main():
    vmlinux, dump, planted = sys.argv[1:4]
    prog = drgn.Program()
    prog.set_core_dump(dump)
    prog.load_debug_info([vmlinux], main=False)
    told, note = planted_of(planted), note_of(dump)
    kvm = machine_of(prog, told["pid"])
    claim("machine", machine, kvm, note, told)
    claim("slots", slots, kvm, note, told)
    for gpa, pages in told["patterns"]:
        claim(f"memory at {gpa:#x}", memory, kvm, note, gpa, pages)
    claim("untouched memory", untouched, kvm, note, told)
    claim("CPUs", vcpus, kvm, note, told)
    return 1 if failed else 0


sys.exit(main())
