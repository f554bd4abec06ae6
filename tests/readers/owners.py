"""Whose a word of a kernel's memory is: a variable's, a CPU's, a task's, a stack's, a slab object's and that of who points to it."""

import bisect
import mmap
import re
import struct

from drgn import FaultError, Object, SymbolKind, TypeKind, offsetof, sizeof
from drgn.helpers.linux import (
    follow_phys,
    for_each_possible_cpu,
    for_each_task,
    for_each_vmap_area,
    pfn_to_page,
)
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.slab import slab_object_info

PAGE = 4096
STACK = 16384
# x86-64's, where the kernel's image is mapped.
IMAGE = 0xFFFFFFFF80000000
# How many pointers to an object are looked at, and over how many unnamed objects a name is looked for.
HOLDERS = 24
STEPS = 4
# Where pointers stand that hold nothing: on stacks, in free memory, in lkd's copies of pages.
STALE = re.compile(
    "stack|interrupt|per-CPU irq_stack|free|page|struct page|image 0x|vmalloc by (array_map_alloc|ringbuf_map_alloc)"
)


class Image:
    """The page frames of an ELF core."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        (table,) = struct.unpack_from("<Q", self.bytes, 32)
        size, count = struct.unpack_from("<HH", self.bytes, 54)
        if count == 0xFFFF:  # then the first section's header has the number
            (sections,) = struct.unpack_from("<Q", self.bytes, 40)
            (count,) = struct.unpack_from("<I", self.bytes, sections + 44)
        # Frames may be mapped twice: as the direct map and as the kernel's image.
        self.at = {}
        for number in range(count):
            kind, _, offset, _, start, length = struct.unpack_from("<IIQQQQ", self.bytes, table + number * size)
            if kind == 1:
                for page in range(0, length // PAGE * PAGE, PAGE):
                    self.at.setdefault((start + page) // PAGE, offset + page)
        self.frames = sorted((offset, frame) for frame, offset in self.at.items())

    def page(self, frame):
        offset = self.at.get(frame)
        return None if offset is None else self.bytes[offset : offset + PAGE]

    def find(self, word):
        """The physical addresses at which this word stands."""
        needle = struct.pack("<Q", word)
        offset = self.bytes.find(needle)
        while offset >= 0:
            start, frame = self.frames[max(bisect.bisect(self.frames, (offset, 1 << 62)) - 1, 0)]
            if 0 <= offset - start < PAGE and offset % 8 == 0:
                yield frame * PAGE + offset - start
            offset = self.bytes.find(needle, offset + 1)


def bare(kind):
    while kind.kind == TypeKind.TYPEDEF:
        kind = kind.type
    return kind


def length_of(kind):
    try:
        return sizeof(kind)
    except TypeError:  # an array that is as long as what was allocated
        return 0


def member(kind, offset):
    """The member of a struct in which an offset lies, down to where it is an array or no struct."""
    kind = bare(kind)
    if kind.kind not in (TypeKind.STRUCT, TypeKind.UNION):
        return ""
    for part in kind.members:
        start, size = part.bit_offset // 8, part.bit_field_size
        length = -(-(part.bit_offset % 8 + size) // 8) if size else length_of(part.type)
        if start <= offset < start + length:
            inner = member(part.type, offset - start)
            return ".".join(name for name in (part.name, inner) if name)
    return ""


class Owners:
    """Names words of `prog`'s memory; pointers are looked for in `image`, which need not have all of it."""

    def __init__(self, prog, image):
        self.prog, self.image, self.held = prog, image, {}
        self.direct = prog["page_offset_base"].value_()
        init = prog["init_mm"].address_of_()
        text = prog.symbol("_text").address
        self.base = follow_phys(init, text).value_() - (text - IMAGE)
        self.variables = sorted((one.address, one.size, one.name) for one in prog.symbols() if one.size and one.name)
        self.reserved = 1 << prog["PG_reserved"].value_()
        try:
            self.typed = prog["PGTY_slab"].value_(), prog["PGTY_table"].value_()
        except KeyError:
            self.typed, self.slab = None, 1 << prog["PG_slab"].value_()
        page = prog.type("struct page")
        self.pages, self.size = prog["vmemmap_base"].value_(), page.size
        self.words = [offsetof(page, name) for name in ("flags", "compound_head", "page_type")]
        self.offsets = [(cpu, prog["__per_cpu_offset"][cpu].value_()) for cpu in for_each_possible_cpu(prog)]
        self.percpu = prog.symbol("__per_cpu_start").address, prog.symbol("__per_cpu_end").address
        self.image_ends = prog.symbol("_text").address, prog.symbol("_end").address
        self.stacks = {task.stack.value_(): task for task in for_each_task(prog, idle=True)}
        # Chunks of per-CPU memory, as a CPU's offset must be added to them.
        base = prog["pcpu_base_addr"].value_()
        chunks = [prog["pcpu_first_chunk"]]
        for slot in range(prog["pcpu_nr_slots"].value_()):
            chunks += list_for_each_entry("struct pcpu_chunk", prog["pcpu_chunk_lists"][slot].address_of_(), "list")
        self.chunks = [
            (one.base_addr.value_() - base, one.nr_pages.value_() * PAGE, one.bound_map.value_()) for one in chunks
        ]
        self.mapped = {}
        for area in for_each_vmap_area(prog):
            if not area.vm:
                continue
            start, end = area.va_start.value_(), area.va_end.value_()
            caller = self.variable(area.vm.caller.value_()) or "?"
            for at in range(start, end, PAGE):
                try:
                    frame = follow_phys(init, at).value_() // PAGE
                except FaultError:
                    continue
                self.mapped.setdefault(frame, (caller, start, at))
        start = self.pages
        last = max(image.at) if image.at else 0
        for at in range(start, start + last * self.size, PAGE):
            try:
                self.mapped.setdefault(follow_phys(init, at).value_() // PAGE, ("struct page", start, at))
            except FaultError:
                continue

    def variable(self, address):
        """The symbol in which this address lies."""
        place = bisect.bisect(self.variables, (address, 1 << 62)) - 1
        # an outer one may begin before an inner one
        for start, size, name in self.variables[max(place - 3, 0) : place + 1][::-1]:
            if start <= address < start + size:
                return name
        return None

    def part(self, name, address):
        """`name`, and which member of that variable an address is, if its type is known."""
        try:
            inner = member(self.prog[name].type_, address - self.prog.symbol(name).address)
        except (LookupError, TypeError):
            inner = ""
        return f"{name}.{inner}" if inner else name

    def whose(self, address, steps=STEPS):
        """The owner of the word at this physical address; "" if it is an object that only unnamed ones point to."""
        for owner in (self.of_image, self.of_cpu, self.of_area, self.of_slab, self.of_page):
            name = owner(address, steps)
            if name is not None:
                return name

    def of_image(self, address, steps=0):
        at = address - self.base + IMAGE
        if at & -STACK in self.stacks:
            return self.stack(self.stacks[at & -STACK])
        # what the image needed at boot only has been given away
        if not self.image_ends[0] <= at < self.image_ends[1] or not self.flags(address) & self.reserved:
            return None
        name = self.variable(at)
        return f"image {self.part(name, at)}" if name else f"image {at:#x}"

    def flags(self, address):
        page = pfn_to_page(self.prog, address // PAGE)
        return page.flags.value_() if hasattr(page.flags, "value_") else page.flags.f.value_()

    def of_cpu(self, address, steps):
        for cpu, offset in self.offsets:
            at = (self.direct + address - offset) % (1 << 64)
            if self.percpu[0] <= at < self.percpu[1]:
                name = self.variable(at)
                return f"per-CPU {self.part(name, at)}" if name else f"per-CPU {at:#x}"
        caller, start, at = self.mapped.get(address // PAGE, ("", 0, 0))
        at = at + address % PAGE if caller.startswith("pcpu_") else self.direct + address
        for cpu, offset in self.offsets:
            for base, size, bounds in self.chunks:
                place = (at - offset - base) % (1 << 64)
                if place < size:
                    # a bit for every 4 bytes tells where allocations begin
                    first = place // 4
                    while first and not self.prog.read_u64(bounds + first // 64 * 8) >> first % 64 & 1:
                        first -= 1
                    owner = self.holder((base + first * 4) % (1 << 64), steps) if steps else None
                    return f"per-CPU memory of {owner}" if owner else "" if steps < STEPS else "per-CPU memory of nobody"
        return None

    def of_area(self, address, steps=0):
        caller, start, at = self.mapped.get(address // PAGE, ("", 0, 0))
        if start in self.stacks:
            return self.stack(self.stacks[start])
        if caller == "struct page":
            place = (at + address % PAGE - start) // self.size
            return f"struct page of {self.of_area(place * PAGE) or self.of_page(place * PAGE)}"
        if "irqstack" in caller:
            return "interrupt stack"
        return f"vmalloc by {caller}" if caller else None

    def stack(self, task):
        return f"stack of {told(task)}"

    def of_slab(self, address, steps):
        at = self.direct + address
        info = slab_object_info(self.prog, at)
        if not info:
            return None
        cache = info.slab_cache.name.string_().decode(errors="replace")
        if cache == "task_struct":
            return f"task {told(Object(self.prog, 'struct task_struct *', info.address))}"
        if not info.allocated:
            return f"free {cache}"
        if not cache.startswith("kmalloc"):
            try:
                inner = member(self.prog.type(f"struct {cache}"), at - info.address)
            except LookupError:
                inner = ""
            return f"{cache}.{inner}" if inner else cache
        function = self.deferred(at, info.address) if steps == STEPS else None
        if function:
            return f"timer or work of {function}"
        owner = self.holder(info.address, steps) if steps else ""
        return f"{cache} of {owner}" if owner else "" if steps < STEPS else f"{cache} of nobody"

    def deferred(self, at, start):
        """The function of the timer_list or work_struct of which this word is a link, the time or the flags: in both it stands
        behind three words."""
        for back in (0, 8, 16, 32):
            place = at // 8 * 8 - back
            if place < start:
                return None
            try:
                pointer = self.prog.read_u64(place + 24)
                symbol = self.prog.symbol(pointer)
            except (FaultError, LookupError):
                continue
            if symbol.address == pointer and symbol.kind == SymbolKind.FUNC:
                return symbol.name
        return None

    def holder(self, address, steps):
        """The best name among those who point to `address`: variables, then typed objects, then what such an object points to."""
        if address not in self.held:
            self.held[address] = ""  # a circle of pointers
            named, unnamed = [], []
            for place in self.image.find(address):
                if len(named) + len(unnamed) == HOLDERS:
                    break
                owner = self.whose(place, 0)
                if not owner:
                    unnamed.append(place)
                elif not STALE.match(owner):
                    named.append(self.exact(owner, place))
            named.sort(key=best)
            owner = named[0] if named else ""
            for place in unnamed if steps > 1 and not named else []:
                owner = owner or self.whose(place, steps - 1)
            self.held[address] = owner
        return self.held[address]

    def exact(self, owner, place):
        """Which member of a task it is: which task does not matter."""
        if owner.startswith("task "):
            info = slab_object_info(self.prog, self.direct + place)
            return f"a task's {member(self.prog.type('struct task_struct'), self.direct + place - info.address)}"
        return owner

    def promised(self, frame):
        """Whose page a frame is that a dump of the kernel must have: reserved, slab, page table or mapped by the kernel."""
        flags, head, kind = (self.prog.read_u64(self.pages + frame * self.size + at) for at in self.words)
        if flags & self.reserved:
            return "reserved"
        if head & 1:  # what a page is stands in the first one of its block
            flags, _, kind = (self.prog.read_u64((head & ~1) + at) for at in self.words)
        kind &= 0xFFFFFFFF
        if self.typed:
            slab, table = (kind >> 24 == top for top in self.typed)
        else:
            # before 6.12 a table is a bit that is cleared, for which the debug information has no name
            slab = flags & self.slab
            table = kind >> 28 == 0xF and kind != 0xFFFFFFFF and not kind & 0x200
        if slab or table:
            return "slab" if slab else "page table"
        caller = self.mapped.get(frame, ("", 0, 0))[0]
        if not caller:
            return None
        return caller if caller == "struct page" else f"vmalloc by {caller}"

    def of_page(self, address, steps=0):
        page = pfn_to_page(self.prog, address // PAGE)
        kind = page.page_type.value_() & 0xFFFFFFFF
        return f"page {address // PAGE:#x}, flags {self.flags(address):#x}, type {kind:#x}, references {page._refcount.counter.value_()}"


def best(name):
    """Variables before others' members; a workqueue's own before those of what is queued there."""
    return name.startswith("vmalloc"), not name.endswith("_wq"), not name.startswith(("image", "per-CPU")), name


def told(task):
    # numbers of worker threads say nothing here
    name = re.sub(r"/.*", "", task.comm.string_().decode(errors="replace"))
    return f"{task.pid.value_()} ({name})"
