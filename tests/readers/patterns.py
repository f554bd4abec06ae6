"""Looks with drgn for processes' memory in a dump: one line per piece, `ok NAME: …` or `FAILED NAME: …`.

usage: patterns.py VMLINUX DUMP TABLE

TABLE is what `owner` wrote: who, what, process, address, pages, number; each word of those pages is its own address, exclusive-or
that number. It is read as a debugger would, through the process' page tables in the dump.
"""

import struct
import sys

import drgn
from drgn.helpers.linux import access_process_vm, find_task

PAGE = 4096
WORDS = struct.Struct("<512Q")


def right(task, at, number):
    """Whether the page at this address is as it was written."""
    words = WORDS.unpack(access_process_vm(task, at, PAGE))
    return all(word == (at + 8 * place) ^ number for place, word in enumerate(words))


def main():
    prog = drgn.Program()
    prog.set_core_dump(sys.argv[2])
    prog.load_debug_info([sys.argv[1]])
    failures, looked = 0, 0
    with open(sys.argv[3]) as table:
        pieces = [line.split() for line in table]
    for who, what, pid, at, pages, number in pieces:
        # drgn does not follow entries of memory that its process may not touch
        if what == "forbidden":
            continue
        looked += 1
        at, pages, number = int(at, 16), int(pages), int(number, 16)
        name = f"{who}'s {what} memory"
        try:
            task = find_task(prog, int(pid))
            wrong = [place for place in range(pages) if not right(task, at + place * PAGE, number)]
        except (drgn.FaultError, LookupError, ValueError) as why:
            failures += 1
            print(f"FAILED {name}: {type(why).__name__}: {why}")
            continue
        if wrong:
            failures += 1
            print(f"FAILED {name}: {len(wrong)} of {pages} pages are not as they were written")
        else:
            print(f"ok {name}: {pages} pages as they were written")
    if not looked:
        failures += 1
        print("FAILED memory: the table names none")
    return 1 if failures else 0


sys.exit(main())
