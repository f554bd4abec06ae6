//! The part of a minidump that never moves: what a debugger needs to find, translate and name everything else.
//!
//! Only where it lies is found here, at arming; its bytes are copied in the freeze, together with every task's own pages, which
//! the trigger lists (bpf/mini.h). Chosen by experiment: with these pages crash, drgn and gdb open a dump as they open a full
//! one. A page that cannot be found is left out, and costs a reader what stands on it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use lkd_dump::Pfn;
use lkd_kernel::btf::Btf;
use lkd_kernel::symbols::{KERNEL, Symbols};
use lkd_kernel::vmcoreinfo::VmcoreInfo;

use crate::ctl::{PEEKS, STACK_BYTES};
use crate::engine::Engine;
use crate::live::Live;
use crate::peek::Peeker;
use crate::tables::Tables;

/// What is known before the shot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mini {
    /// Page frames, ascending, each once.
    pub frames: Vec<u64>,
    /// Addresses of the CPUs' idle tasks, which no list has.
    pub idle: BTreeMap<u32, u64>,
    /// The kernel's code.
    pub text: Range<u64>,
    /// Where the kernel has each CPU's distance to its own variables; 0: not known.
    pub per_cpu_offset: u64,
}

/// Pages of a task that are its own, with some that it shares: stack, task_struct, pid, signal, address space, code.
const PAGES_PER_TASK: u64 = 13;

/// Where the image's mapping begins: an address less this, and phys_base, is where it lies.
const IMAGE: u64 = 0xffff_ffff_8000_0000;

/// What a CPU's own memory has beyond its variables in the first piece: those of modules, and those allocated early.
const PERCPU_MORE: u64 = 9 << 12;

/// Modules' memory that is kept, in pages: their symbols, and what their code says of stacks.
const MOST_OF_MODULES: usize = 2048;

/// Modules that are followed, should their list be torn.
const MOST_MODULES: usize = 4096;

/// Code that crash disassembles before it opens a dump, and how many times a function's own length it looks at: it counts
/// instructions in bytes.
const CODE: [(&str, u64); 10] = [
    ("__schedule", 4),
    ("common_interrupt", 4),
    ("__x64_sys_open", 1),
    ("__x64_sys_fork", 1),
    ("__x64_sys_read", 1),
    ("do_futex", 1),
    ("do_fork", 1),
    ("_do_fork", 1),
    ("sys_read", 1),
    ("vfs_read", 1),
];

/// Pages to make room for, in the list and in the buffer: what is known, and the tasks that may be there by then.
pub fn room(known: &Mini) -> u64 {
    let threads = threads();
    // twice: beside another kind the trigger may list again what is known
    known.frames.len() as u64 * 2 + (threads + threads / 2 + 512) * PAGES_PER_TASK
}

/// Pages that a minidump would have now, at most.
pub fn pages(known: &Mini) -> u64 {
    known.frames.len() as u64 + threads() * PAGES_PER_TASK
}

fn threads() -> u64 {
    // "0.20 0.18 0.12 1/80 11206": the fourth has the number of threads behind its stroke
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').nth(3).and_then(|part| part.split_once('/')?.1.parse::<u64>().ok()).unwrap_or(1024)
}

/// Looks for it. A kernel that names less has less of it.
pub fn find(live: &Live, survey: &Engine, symbols: &Symbols) -> Mini {
    let Ok(peeker) = survey.peeker() else { return Mini::default() };
    let info = VmcoreInfo::parse(&live.vmcoreinfo);
    let btf = fs::read("/sys/kernel/btf/vmlinux").ok().and_then(|bytes| Btf::parse(bytes).ok());
    let root = ["init_top_pgt", "swapper_pg_dir"].into_iter().find_map(|name| info.symbol(name).ok());
    let tables = Tables::of(live, &info, root.map_or(0, |at| at.wrapping_sub(IMAGE)));
    let mut search =
        Search { live, peeker, symbols, info, btf, tables, frames: Vec::new(), idle: BTreeMap::new() };
    search.image();
    search.code();
    search.tables();
    search.cpus();
    search.log();
    search.memory_map();
    search.modules();
    let Search { mut frames, idle, .. } = search;
    frames.sort_unstable();
    frames.dedup();
    frames.retain(|frame| live.ram.pages.contains(Pfn(*frame)));
    let of = |name| symbols.by_name_in(KERNEL, name).map(|symbol| symbol.addr);
    let text = of("_text").zip(of("_etext")).map_or(0..0, |(first, end)| first..end);
    let per_cpu_offset = of("__per_cpu_offset").unwrap_or(0);
    Mini { frames, idle, text, per_cpu_offset }
}

struct Search<'a> {
    live: &'a Live,
    peeker: Peeker,
    symbols: &'a Symbols,
    info: VmcoreInfo,
    btf: Option<Btf>,
    tables: Tables,
    frames: Vec<u64>,
    idle: BTreeMap<u32, u64>,
}

impl Search<'_> {
    /// A variable of the kernel's.
    fn address(&self, name: &str) -> Option<u64> {
        let named = self.symbols.by_name_in(KERNEL, name).map(|symbol| symbol.addr);
        named.or_else(|| self.info.symbol(name).ok())
    }

    fn word(&mut self, vaddr: u64) -> Option<u64> {
        self.peeker.word(vaddr).ok().flatten()
    }

    fn half(&mut self, vaddr: u64) -> Option<u64> {
        let mut bytes = [0; 4];
        self.peeker.read(vaddr, &mut bytes).ok()?.then(|| u64::from(u32::from_le_bytes(bytes)))
    }

    /// What the kernel's variable of this name points to.
    fn pointer(&mut self, name: &str) -> Option<u64> {
        let at = self.address(name)?;
        self.word(at).filter(|at| at >> 63 == 1)
    }

    fn size(&self, structure: &str) -> Option<u64> {
        let btf = self.btf.as_ref()?;
        btf.size_of(btf.find_struct(structure)?)
    }

    /// Bytes from a structure's start to a member.
    fn member(&self, structure: &str, path: &str) -> Option<u64> {
        let btf = self.btf.as_ref()?;
        Some(btf.member_path(btf.find_struct(structure)?, path)?.byte_offset())
    }

    /// Adds the pages of `len` bytes, wherever they are mapped.
    fn add(&mut self, vaddr: u64, len: u64) {
        let end = vaddr.saturating_add(len.min(1 << 30));
        let mut at = vaddr & !4095;
        while at < end {
            let frame = match at.checked_sub(self.live.page_offset) {
                Some(offset) if offset >> 12 < self.live.ram.end() => Some(offset >> 12),
                _ => self.tables.frame(&mut self.peeker, at),
            };
            self.frames.extend(frame);
            let Some(next) = at.checked_add(4096) else { break };
            at = next;
        }
    }

    /// The image without its code, and without what has been given back: gaps between its parts, and what was for booting only.
    fn image(&mut self) {
        // what early allocations did not take of the room behind has been given back
        let end = if self.address("__brk_base").is_some() { "__brk_base" } else { "_end" };
        let parts = [("__start_rodata", "__end_rodata"), ("_sdata", "__init_begin"), ("__init_end", end)];
        for (first, end) in parts {
            match self.address(first).zip(self.address(end)) {
                Some((first, end)) => self.add(first, end.saturating_sub(first)),
                // Without names for its parts, all of it.
                None => self.frames.extend(self.live.ram.image.clone()),
            }
        }
    }

    fn code(&mut self) {
        if let Some((first, end)) = self.address("__entry_text_start").zip(self.address("__entry_text_end")) {
            self.add(first, end.saturating_sub(first));
        }
        for (name, times) in CODE {
            let Some(at) = self.address(name) else { continue };
            // symbols are in order of address; no function that matters here is longer
            let next = (1..64).find_map(|step| {
                let there = self.symbols.by_addr(at + step * 256)?;
                (there.symbol.addr > at).then_some(there.symbol.addr)
            });
            self.add(at, next.map_or(4096, |next| (next - at) * times));
        }
    }

    /// The kernel's page tables. Those for stacks that are yet to come the trigger lists.
    fn tables(&mut self) {
        let found = self.tables.all(&mut self.peeker);
        self.frames.extend(found);
    }

    /// Every CPU's own variables, its idle task, and the stack on which it takes interrupts.
    fn cpus(&mut self) {
        let Some(offsets) = self.address("__per_cpu_offset") else { return };
        let (Some(first), Some(end)) = (self.address("__per_cpu_start"), self.address("__per_cpu_end"))
        else {
            return;
        };
        let idle = self.address("runqueues").zip(self.member("rq", "idle")).map(|(queue, idle)| queue + idle);
        let stack = self.address("pcpu_hot").zip(self.member("pcpu_hot", "hardirq_stack_ptr"));
        let stack = stack.map(|(hot, stack)| hot + stack).or_else(|| self.address("hardirq_stack_ptr"));
        for cpu in self.live.cpus.clone() {
            let Some(offset) = self.word(offsets.wrapping_add(u64::from(cpu) * 8)) else { continue };
            self.add(offset.wrapping_add(first), end.saturating_sub(first) + PERCPU_MORE);
            let of_cpu = |at: Option<u64>| at.map(|at| at.wrapping_add(offset));
            if let Some(task) = of_cpu(idle).and_then(|at| self.word(at)) {
                self.idle.insert(cpu, task);
            }
            // it names the topmost word
            if let Some(top) = of_cpu(stack).and_then(|at| self.word(at)) {
                self.add((top + 8).saturating_sub(STACK_BYTES as u64), STACK_BYTES as u64);
            }
        }
    }

    /// The log's text, and what says where in it each line stands.
    fn log(&mut self) {
        if let Some((text, len)) = self.pointer("log_buf").zip(self.address("log_buf_len")) {
            let len = self.half(len).unwrap_or(0);
            self.add(text, len);
        }
        let Some(ring) = self.pointer("prb") else { return };
        for (array, element) in [("desc_ring.descs", "prb_desc"), ("desc_ring.infos", "printk_info")] {
            let at = |path| self.member("printk_ringbuffer", path).map(|offset| ring + offset);
            let (Some(array), Some(bits), Some(element)) =
                (at(array), at("desc_ring.count_bits"), self.size(element))
            else {
                continue;
            };
            if let (Some(array), Some(bits)) = (self.word(array), self.half(bits)) {
                self.add(array, element << bits.min(24));
            }
        }
    }

    /// How memory is divided, and the note that says what the kernel is.
    fn memory_map(&mut self) {
        for name in ["vmcoreinfo_note", "vmcoreinfo_data"] {
            if let Some(at) = self.pointer(name) {
                self.add(at, 4096);
            }
        }
        let (nodes, size) = (self.info.length("node_data"), self.info.size("pglist_data"));
        if let (Some(array), Ok(nodes), Ok(size)) = (self.address("node_data"), nodes, size) {
            for node in 0..nodes.min(1024) {
                if let Some(at) = self.word(array + node * 8).filter(|at| *at != 0) {
                    self.add(at, size);
                }
            }
        }
        if let (Some(roots), Ok(count)) = (self.pointer("mem_section"), self.info.length("mem_section")) {
            let count = count.min(1 << 16);
            self.add(roots, count * 8);
            let mut bytes = vec![0; count as usize * 8];
            if matches!(self.peeker.read(roots, &mut bytes), Ok(true)) {
                for root in bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)) {
                    if root != 0 {
                        self.add(root, 4096);
                    }
                }
            }
        }
    }

    /// Every module's structure, the memory that it has (its symbols and tables are in there), the names of its sections.
    fn modules(&mut self) {
        let Some(head) = self.address("modules") else { return };
        let (Some(list), Some(size)) = (self.member("module", "list"), self.size("module")) else { return };
        let mut modules = Vec::new();
        let mut next = self.word(head);
        while let Some(link) = next.filter(|link| *link != head && modules.len() < MOST_MODULES) {
            modules.push(link.wrapping_sub(list));
            next = self.word(link);
        }
        for module in &modules {
            self.add(*module, size);
            self.sections(*module);
            self.notes(*module);
        }
        let before = self.frames.len();
        for module in modules {
            for (start, bytes) in self.memory_of(module) {
                if self.frames.len() - before < MOST_OF_MODULES {
                    self.add(start, bytes);
                }
            }
        }
    }

    /// The ranges of a module's memory; in one piece until Linux commit ac3b43283923 (in v6.4), then one for each kind of content.
    fn memory_of(&mut self, module: u64) -> Vec<(u64, u64)> {
        let mut ranges = Vec::new();
        let piece = |search: &mut Self, at: u64, base: u64, size: u64| {
            let (start, bytes) = (search.word(at + base)?, search.half(at + size)?);
            (start >> 63 == 1 && bytes > 0).then_some((start, bytes))
        };
        if let (Some(mem), Some(each), Some(base), Some(size), Some(after)) = (
            self.member("module", "mem"),
            self.size("module_memory"),
            self.member("module_memory", "base"),
            self.member("module_memory", "size"),
            self.member("module", "arch"),
        ) {
            // the last kinds are what a module needs only while it is loaded
            let pieces = after.saturating_sub(mem) / each.max(1);
            ranges.extend(
                (0..pieces.min(8)).filter_map(|place| piece(self, module + mem + place * each, base, size)),
            );
        } else if let (Some(base), Some(size)) =
            (self.member("module", "core_layout.base"), self.member("module", "core_layout.size"))
        {
            ranges.extend(piece(self, module, base, size));
        }
        ranges
    }

    fn sections(&mut self, module: u64) {
        let (Some(attributes), Some(count), Some(first), Some(each)) = (
            self.member("module", "sect_attrs"),
            self.member("module_sect_attrs", "nsections"),
            self.member("module_sect_attrs", "attrs"),
            self.size("module_sect_attr"),
        ) else {
            return;
        };
        let Some(name) = self.member("module_sect_attr", "battr.attr.name") else { return };
        let Some(at) = self.word(module + attributes).filter(|at| at >> 63 == 1) else { return };
        let count = self.half(at + count).unwrap_or(0).min(PEEKS as u64);
        self.add(at, first + count * each);
        for place in 0..count {
            if let Some(text) = self.word(at + first + place * each + name).filter(|text| text >> 63 == 1) {
                self.add(text, 64);
            }
        }
    }

    /// What says where a module's notes are, the one with its build ID among them.
    fn notes(&mut self, module: u64) {
        let (Some(attributes), Some(count), Some(first), Some(each)) = (
            self.member("module", "notes_attrs"),
            self.member("module_notes_attrs", "notes"),
            self.member("module_notes_attrs", "attrs"),
            self.size("bin_attribute"),
        ) else {
            return;
        };
        let Some(at) = self.word(module + attributes).filter(|at| at >> 63 == 1) else { return };
        let count = self.half(at + count).unwrap_or(0).min(PEEKS as u64);
        self.add(at, first + count * each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_is_known_and_for_tasks_that_are_yet_to_come() {
        let of = |frames: u64| room(&Mini { frames: (0..frames).collect(), ..Mini::default() });
        let (none, some) = (of(0), of(1000));
        assert!(none >= 512 * PAGES_PER_TASK);
        // threads may come and go between the two
        assert!(some + 512 * PAGES_PER_TASK > none + 1000 && some > 1000);
    }
}
