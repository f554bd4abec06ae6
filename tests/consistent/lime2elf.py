"""Makes of a LiME file, as AVML writes it, an ELF core that `lkd selftest invariants` reads: python3 lime2elf.py LIME HEAD ELF

HEAD is the beginning of the same boot's /proc/kcore; its VMCOREINFO note goes into the ELF file.
"""

import struct
import sys

MAGIC = 0x4C694D45
BLOCK = 1 << 20


def note_of(head):
    """The VMCOREINFO note of a kcore's PT_NOTE segment, whole."""
    offset, entries = struct.unpack_from("<Q", head, 32)[0], struct.unpack_from("<H", head, 56)[0]
    for entry in range(entries):
        kind, _, start, _, _, size = struct.unpack_from("<IIQQQQ", head, offset + entry * 56)
        while kind == 4 and size >= 12:
            name, desc, _ = struct.unpack_from("<III", head, start)
            length = 12 + (name + 3) // 4 * 4 + (desc + 3) // 4 * 4
            if head[start + 12 : start + 22] == b"VMCOREINFO":
                return head[start : start + length]
            start, size = start + length, size - length
    sys.exit("no VMCOREINFO in the beginning of kcore")


def main():
    lime, head, elf = sys.argv[1:]
    note = note_of(open(head, "rb").read())
    ranges = []
    with open(lime, "rb") as source, open(elf, "wb") as out:
        at = 0
        while header := source.read(32):
            magic, _, first, last = struct.unpack("<IIQQ", header[:24])
            if magic != MAGIC:
                sys.exit(f"{lime}: no LiME header at {at:#x}")
            ranges.append((first, last - first + 1, source.tell()))
            at = source.seek(last - first + 1, 1)
        start = 64 + 56 * (len(ranges) + 1)
        out.write(b"\x7fELF\x02\x01\x01" + bytes(9))
        out.write(struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, len(ranges) + 1, 0, 0, 0))
        out.write(struct.pack("<IIQQQQQQ", 4, 0, start, 0, 0, len(note), len(note), 0))
        data = (start + len(note) + 4095) // 4096 * 4096
        for first, size, _ in ranges:
            out.write(struct.pack("<IIQQQQQQ", 1, 7, data, 0xFFFF888000000000 + first, first, size, size, 0))
            data += size
        out.write(note)
        out.write(bytes(-out.tell() % 4096))
        for _, size, place in ranges:
            source.seek(place)
            for done in range(0, size, BLOCK):
                out.write(source.read(min(BLOCK, size - done)))


main()
