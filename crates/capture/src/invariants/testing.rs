//! Images made in a test: memory of words, the types that describe it, and kernels in miniature that are sound until broken.

use std::collections::BTreeMap;

use lkd_kernel::btf::Btf;

use super::planted::Planted;
use super::tasks::{Census, Task};
use super::{Bases, Image, View};

/// A member: its name, its first bit, its bits; as wide as a word unless it is narrower.
type Member = (&'static str, u32, u32);

/// A whole word, and a half of one, at a byte.
const fn word(name: &'static str, byte: u32) -> Member {
    (name, byte * 8, 64)
}
const fn half(name: &'static str, byte: u32) -> Member {
    (name, byte * 8, 32)
}

/// The structures that the claims ask for, smaller than the kernel's. `parts` names members that are structures.
const STRUCTURES: &[(&str, u32, &[Member])] = &[
    ("thread_struct", 8, &[word("sp", 0)]),
    (
        "task_struct",
        0x200,
        &[
            word("tasks", 0x10),
            word("children", 0x20),
            word("sibling", 0x30),
            word("thread_node", 0x40),
            word("signal", 0x50),
            half("pid", 0x58),
            half("tgid", 0x5c),
            word("thread_pid", 0x60),
            word("group_leader", 0x68),
            word("real_parent", 0x70),
            word("pid_links", 0x80),
            word("stack", 0xc0),
            half("on_cpu", 0xc8),
            word("mm", 0xd0),
            word("files", 0xd8),
            word("thread", 0xe0),
        ],
    ),
    ("signal_struct", 0x40, &[half("nr_threads", 8), word("thread_head", 0x10)]),
    ("upid", 0x10, &[half("nr", 0)]),
    ("pid", 0x60, &[word("tasks", 0x10), word("numbers", 0x50)]),
    ("xarray", 0x10, &[word("xa_head", 8)]),
    ("idr", 0x18, &[word("idr_rt", 0), half("idr_base", 0x10)]),
    ("pid_namespace", 0x40, &[word("idr", 0), half("pid_allocated", 0x20)]),
    ("xa_node", 0x20 + 64 * 8, &[("shift", 0, 8), word("parent", 8), word("slots", 0x20)]),
    ("page", 64, &[word("flags", 0), word("compound_head", 8), half("page_type", 48), half("_refcount", 52)]),
    (
        "slab",
        64,
        &[
            word("slab_cache", 8),
            word("slab_list", 16),
            word("freelist", 32),
            ("inuse", 40 * 8, 16),
            ("objects", 40 * 8 + 16, 15),
            ("frozen", 40 * 8 + 31, 1),
        ],
    ),
    (
        "kmem_cache",
        0x80,
        &[
            word("cpu_slab", 0),
            half("size", 8),
            half("offset", 12),
            word("name", 0x18),
            word("list", 0x20),
            word("random", 0x30),
            word("node", 0x40),
        ],
    ),
    ("kmem_cache_cpu", 0x20, &[word("freelist", 0), word("slab", 0x10)]),
    ("kmem_cache_node", 0x40, &[word("list_lock", 0), word("nr_partial", 8), word("partial", 0x10)]),
    ("mm_struct", 0x40, &[word("pgd", 0x18)]),
    ("files_struct", 0x40, &[word("fdt", 0x20)]),
    ("fdtable", 0x20, &[half("max_fds", 0), word("fd", 8)]),
    ("file", 0x40, &[word("private_data", 0x20)]),
    ("eventfd_ctx", 0x40, &[word("count", 0x28)]),
];

/// Members that are structures themselves: structure, member, type.
const NESTED: &[(&str, &str, &str)] = &[
    ("task_struct", "thread", "thread_struct"),
    ("idr", "idr_rt", "xarray"),
    ("pid_namespace", "idr", "idr"),
    ("pid", "numbers", "upid"),
];

const PAGETYPES: &[(&str, u32)] = &[("PGTY_buddy", 0xf0), ("PGTY_table", 0xf2), ("PGTY_slab", 0xf5)];

/// BTF of all that: word and half as integers, then an enumeration, then the structures in order.
fn types() -> Btf {
    let mut strings = vec![0];
    let mut name = |text: &str| {
        let at = strings.len() as u32;
        strings.extend_from_slice(text.as_bytes());
        strings.push(0);
        at
    };
    let mut out: Vec<u32> = Vec::new();
    out.extend([name("u64"), 1 << 24, 8, 64]);
    out.extend([name("u32"), 1 << 24, 4, 32]);
    out.extend([name("pagetype"), 6 << 24 | PAGETYPES.len() as u32, 4]);
    for (tag, value) in PAGETYPES {
        out.extend([name(tag), *value]);
    }
    let first = 4;
    for (structure, size, members) in STRUCTURES {
        out.extend([name(structure), 1 << 31 | 4 << 24 | members.len() as u32, *size]);
        for (member, bit, bits) in *members {
            let nested = NESTED.iter().find(|(of, named, _)| of == structure && named == member);
            let place = nested.and_then(|(.., ty)| STRUCTURES.iter().position(|(name, ..)| name == ty));
            let (ty, width) = match (place, bits) {
                (Some(place), _) => (first + place as u32, 0),
                (None, 64) => (1, 0),
                (None, 32) => (2, 0),
                (None, bits) => (2, *bits),
            };
            out.extend([name(member), ty, width << 24 | bit]);
        }
    }
    let types: Vec<u8> = out.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
        bytes.extend_from_slice(&u32::to_le_bytes(word));
    }
    bytes.extend(types);
    bytes.extend(strings);
    Btf::parse(bytes).expect("the test's own BTF")
}

/// Memory that holds what was put, and zeros elsewhere in a page that holds something.
#[derive(Default)]
struct Words(BTreeMap<u64, [u8; 4096]>);

impl Image for Words {
    fn read(&self, vaddr: u64, into: &mut [u8]) -> bool {
        for (at, byte) in into.iter_mut().enumerate() {
            let Some(vaddr) = vaddr.checked_add(at as u64) else { return false };
            let Some(page) = self.0.get(&(vaddr / 4096)) else { return false };
            *byte = page[(vaddr % 4096) as usize];
        }
        true
    }
}

/// An image, its types and its bases.
pub struct Made {
    words: Words,
    btf: Btf,
    pub bases: Bases,
}

impl Made {
    pub fn new() -> Made {
        let bases = Bases {
            init_task: 0x1_0000,
            init_pid_ns: 0x2_0000,
            slab_caches: 0x3_0000,
            tasklist_lock: 0x4_0000,
            pidmap_lock: 0x4_0040,
            slab_mutex: 0x4_0080,
            nr_threads: Some(0x4_00c0),
            page_offset: 0x1000_0000,
            vmemmap: 0x4000_0000,
            end_pfn: 128,
            per_cpu: vec![0x6_0000, 0x6_8000],
            nodes: 1,
            ..Bases::default()
        };
        let mut made = Made { words: Words::default(), btf: types(), bases };
        for at in [made.bases.tasklist_lock, made.bases.init_task] {
            made.put(at, 0);
        }
        made
    }

    pub fn view<T>(&self, ask: impl FnOnce(&View<'_>) -> T) -> T {
        ask(&View { image: &self.words, btf: &self.btf, bases: &self.bases })
    }

    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        for (offset, byte) in bytes.iter().enumerate() {
            let at = at + offset as u64;
            self.words.0.entry(at / 4096).or_insert([0; 4096])[(at % 4096) as usize] = *byte;
        }
    }

    pub fn put(&mut self, at: u64, word: u64) {
        self.bytes(at, &word.to_le_bytes());
    }

    pub fn put_half(&mut self, at: u64, half: u32) {
        self.bytes(at, &half.to_le_bytes());
    }

    /// Puts garbage somewhere into what there is; the same for the same `seed`.
    pub fn spoil(&mut self, seed: u64) {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let words: Vec<u64> = self
            .words
            .0
            .iter()
            .flat_map(|(page, bytes)| {
                let used = bytes.as_chunks::<8>().0.iter().enumerate().filter(|(_, word)| **word != [0; 8]);
                used.map(|(at, _)| page * 4096 + at as u64 * 8).collect::<Vec<u64>>()
            })
            .collect();
        for _ in 0..=next(3) {
            let at = words[next(words.len() as u64) as usize];
            let other = words[next(words.len() as u64) as usize];
            let garbage = [0, u64::MAX, other, other | 2, next(1 << 31) << 33, at, at ^ 8];
            let garbage = garbage[next(garbage.len() as u64) as usize];
            self.put(at, garbage);
        }
    }

    /// Links a circular list.
    pub fn list(&mut self, head: u64, links: &[u64]) {
        let ring: Vec<u64> = [head].into_iter().chain(links.iter().copied()).chain([head]).collect();
        for pair in ring.windows(2) {
            self.put(pair[0], pair[1]);
            self.put(pair[1] + 8, pair[0]);
        }
    }

    fn member(&self, structure: &str, path: &str) -> u64 {
        self.view(|view| view.member(structure, path)).expect("a member of the test's own types")
    }
}

/// Processes 1 to 3, all children of init_task but 3, which is 1's; process 2 has a second thread, 4.
pub struct Tasks {
    pub made: Made,
    pub tasks_at: u64,
    pub signal_at: u64,
    pub leader_at: u64,
    pub parent_at: u64,
    pub links_at: u64,
    pub count_at: u64,
    pub heads_at: u64,
    pub head_at: u64,
    pub allocated_at: u64,
    pub node: u64,
}

impl Tasks {
    pub fn sound() -> Tasks {
        let made = Made::new();
        let mut tasks = Tasks {
            tasks_at: made.member("task_struct", "tasks"),
            signal_at: made.member("task_struct", "signal"),
            leader_at: made.member("task_struct", "group_leader"),
            parent_at: made.member("task_struct", "real_parent"),
            links_at: made.member("task_struct", "pid_links"),
            count_at: made.member("signal_struct", "nr_threads"),
            heads_at: made.member("pid", "tasks"),
            head_at: made.member("pid_namespace", "idr.idr_rt.xa_head"),
            allocated_at: made.member("pid_namespace", "pid_allocated"),
            node: 0x2_1000,
            made,
        };
        tasks.link();
        tasks
    }

    pub fn task(&self, pid: u32) -> u64 {
        0x10_0000 + u64::from(pid) * 0x1000
    }
    pub fn signal(&self, pid: u32) -> u64 {
        0x20_0000 + u64::from(pid) * 0x1000
    }
    pub fn number(&self, pid: u32) -> u64 {
        0x30_0000 + u64::from(pid) * 0x1000
    }
    pub fn stack(&self, pid: u32) -> u64 {
        0x40_0000 + u64::from(pid) * 0x4000
    }
    pub fn slot(&self, pid: u32) -> u64 {
        self.node + self.made.member("xa_node", "slots") + u64::from(pid) * 8
    }

    fn link(&mut self) {
        let init = self.made.bases.init_task;
        let at = |member: &str| self.made.member("task_struct", member);
        let (tasks_at, node_at, sibling_at, children_at) =
            (at("tasks"), at("thread_node"), at("sibling"), at("children"));
        let (pid_at, tgid_at, number_at, stack_at, sp_at) =
            (at("pid"), at("tgid"), at("thread_pid"), at("stack"), at("thread.sp"));
        let thread_head = self.made.member("signal_struct", "thread_head");
        let numbers_at = self.made.member("pid", "numbers.nr");
        for (pid, process, parent) in [(1, 1, init), (2, 2, init), (3, 3, self.task(1)), (4, 2, init)] {
            let (task, number, stack) = (self.task(pid), self.number(pid), self.stack(pid));
            let (leader, signal) = (self.task(process), self.signal(process));
            self.made.put_half(task + pid_at, pid);
            self.made.put_half(task + tgid_at, process);
            self.made.put(task + self.leader_at, leader);
            self.made.put(task + self.signal_at, signal);
            self.made.put(task + self.parent_at, parent);
            self.made.put(task + number_at, number);
            self.made.put(task + stack_at, stack);
            self.made.put(task + sp_at, stack + 0x2000);
            for page in 0..4 {
                self.made.put(stack + page * 0x1000, 0);
            }
            self.made.list(task + children_at, &[]);
            self.made.put(number + self.heads_at, task + self.links_at);
            self.made.put(task + self.links_at, 0);
            self.made.put(task + self.links_at + 8, number + self.heads_at);
            self.made.put_half(number + numbers_at, pid);
        }
        let processes: Vec<u64> = [1, 2, 3].map(|pid| self.task(pid) + tasks_at).into();
        self.made.list(init + tasks_at, &processes);
        self.made.list(init + children_at, &[self.task(1) + sibling_at, self.task(2) + sibling_at]);
        self.made.list(self.task(1) + children_at, &[self.task(3) + sibling_at]);
        for (process, threads) in [(1u32, &[1u32][..]), (2, &[2, 4]), (3, &[3])] {
            let links: Vec<u64> = threads.iter().map(|pid| self.task(*pid) + node_at).collect();
            self.made.list(self.signal(process) + thread_head, &links);
            self.made.put_half(self.signal(process) + self.count_at, threads.len() as u32);
        }
        let namespace = self.made.bases.init_pid_ns;
        self.made.put(namespace + self.head_at, self.node | 2);
        for pid in 1..=4 {
            self.made.put(self.slot(pid), self.number(pid));
        }
        self.made.put_half(namespace + self.allocated_at, 1 << 31 | 4);
        self.made.put_half(self.made.bases.nr_threads.unwrap_or(0), 4);
    }

    /// Puts a number into the table that no task has.
    pub fn reserve(&mut self, pid: u32) {
        let (slot, number) = (self.slot(pid), self.number(pid));
        self.made.put(slot, number);
        let at = number + self.made.member("pid", "numbers.nr");
        self.made.put_half(at, pid);
        let at = self.made.bases.init_pid_ns + self.allocated_at;
        self.made.put_half(at, 1 << 31 | 5);
    }
}

/// One cache of 256-byte objects; frame 1 holds CPU 0's slab, frame 2 one on its node's list with objects 2 to 5 free.
pub struct Slabs {
    pub made: Made,
    pub offset: u64,
    pub cache_at: u64,
    pub node: u64,
    pub count_at: u64,
    pub lock_at: u64,
}

const CACHE: u64 = 0x50_0000;
const RANDOM: u64 = 0x1234_5678_9abc_def0;

impl Slabs {
    pub fn sound() -> Slabs {
        let made = Made::new();
        let mut slabs = Slabs {
            offset: 128,
            cache_at: made.member("slab", "slab_cache"),
            node: 0x51_0000,
            count_at: made.member("kmem_cache_node", "nr_partial"),
            lock_at: made.member("kmem_cache_node", "list_lock"),
            made,
        };
        let of = |member: &str| CACHE + slabs.made.member("kmem_cache", member);
        let (size, offset, random, node, list, cpu) =
            (of("size"), of("offset"), of("random"), of("node"), of("list"), of("cpu_slab"));
        let caches = slabs.made.bases.slab_caches;
        slabs.made.list(caches, &[list]);
        slabs.made.put_half(size, 256);
        slabs.made.put_half(offset, slabs.offset as u32);
        slabs.made.put(random, RANDOM);
        slabs.made.put(node, slabs.node);
        slabs.made.put(cpu, 0x100);
        for pfn in 0..slabs.made.bases.end_pfn {
            let page = slabs.made.bases.vmemmap + pfn * 64;
            slabs.made.put_half(page + 48, 0xffff_ffff);
        }
        for (nth, counters) in [(0, (16, true)), (1, (12, false))] {
            let slab = slabs.slab(nth);
            slabs.made.put_half(slab + 48, 0xf500_0000);
            slabs.made.put(slab + slabs.cache_at, CACHE);
            slabs.set_counters(nth, counters.0, 16, counters.1);
            slabs.made.put(slabs.object(nth, 0), 0);
        }
        for object in 2..5 {
            slabs.link(slabs.object(1, object), slabs.object(1, object + 1));
        }
        slabs.link(slabs.object(1, 5), 0);
        slabs.set_freelist(1, slabs.object(1, 2));
        let partial = slabs.node + slabs.made.member("kmem_cache_node", "partial");
        let link = slabs.slab(1) + slabs.made.member("slab", "slab_list");
        slabs.made.list(partial, &[link]);
        slabs.made.put(slabs.node + slabs.count_at, 1);
        // CPU 0 has objects 3 and 7 of its slab to give; CPU 1 has no slab
        slabs.link(slabs.object(0, 3), slabs.object(0, 7));
        slabs.link(slabs.object(0, 7), 0);
        let cpus: Vec<u64> = slabs.made.bases.per_cpu.iter().map(|base| base + 0x100).collect();
        slabs.made.put(cpus[0], slabs.object(0, 3));
        slabs.made.put(cpus[0] + 0x10, slabs.slab(0));
        slabs.made.put(cpus[1], 0);
        slabs.made.put(0x70_0000, 0);
        slabs
    }

    /// The `struct slab` of the nth slab, and an object of it.
    pub fn slab(&self, nth: u64) -> u64 {
        self.made.bases.vmemmap + (1 + nth) * 64
    }
    pub fn object(&self, nth: u64, number: u64) -> u64 {
        self.made.bases.page_offset + (1 + nth) * 4096 + number * 256
    }

    pub fn link(&mut self, object: u64, next: u64) {
        let link = object + self.offset;
        self.made.put(link, next ^ RANDOM ^ link.swap_bytes());
    }

    pub fn set_counters(&mut self, nth: u64, inuse: u32, objects: u32, frozen: bool) {
        let at = self.slab(nth) + 40;
        self.made.put_half(at, inuse | objects << 16 | u32::from(frozen) << 31);
    }

    pub fn set_freelist(&mut self, nth: u64, object: u64) {
        let at = self.slab(nth) + self.made.member("slab", "freelist");
        self.made.put(at, object);
    }

    /// One task, whose stack holds a word.
    pub fn put_on_stack(&mut self, word: u64) {
        let task = 0x70_0000;
        let (stack_at, sp_at) =
            (self.made.member("task_struct", "stack"), self.made.member("task_struct", "thread.sp"));
        self.made.put(task + stack_at, 0x71_0000);
        self.made.put(task + sp_at, 0x71_0000);
        for page in 0..4 {
            self.made.put(0x71_0000 + page * 4096, 0);
        }
        self.made.put(0x71_1000, word);
    }

    pub fn census(&self) -> Census {
        Census { tasks: vec![Task { vaddr: 0x70_0000, ..Task::default() }], leaders: Vec::new() }
    }
}

/// One process with one user page, at 0: tables in frames 1 to 4, the page in frame 5; frame 5 is also mapped at 0x1000.
pub struct Mapped {
    pub made: Made,
    pub pte: u64,
    pub leaf: u64,
}

impl Mapped {
    pub fn sound() -> Mapped {
        let mut mapped = Mapped { made: Made::new(), pte: 4, leaf: 5 };
        let task = 0x70_0000;
        let (mm_at, pgd_at) =
            (mapped.made.member("task_struct", "mm"), mapped.made.member("mm_struct", "pgd"));
        mapped.made.put(task + mm_at, 0x72_0000);
        let base = mapped.made.bases.page_offset;
        mapped.made.put(0x72_0000 + pgd_at, base + 0x1000);
        for frame in 0..mapped.made.bases.end_pfn {
            mapped.set_page(frame, 1, 0xffff_ffff);
        }
        for table in 1..=4 {
            mapped.made.put(base + table * 4096, (table + 1) << 12 | 1);
            mapped.set_page(table, 1, if table <= 2 { 0xffff_ffff } else { 0xf200_0000 });
        }
        mapped.made.put(base + 4 * 4096 + 8, 5 << 12 | 1);
        mapped
    }

    pub fn set_page(&mut self, frame: u64, refcount: u32, kind: u32) {
        let page = self.made.bases.vmemmap + frame * 64;
        self.made.put_half(page + 48, kind);
        self.made.put_half(page + 52, refcount);
        // only one of the two mappings is of interest then
        if frame == self.leaf {
            let at = self.made.bases.page_offset + 4 * 4096 + 8;
            self.made.put(at, 6 << 12 | 1);
        }
    }

    pub fn set_leaf(&mut self, entry: u64) {
        let at = self.made.bases.page_offset + self.pte * 4096;
        self.made.put(at, entry);
    }

    pub fn census(&self) -> Census {
        Census { tasks: Vec::new(), leaders: vec![0x70_0000] }
    }
}

/// A process 7 with eventfds whose counters are given.
pub struct Files {
    pub made: Made,
    pub planted: Planted,
    pub private_at: u64,
}

impl Files {
    pub fn with(x: &[u64], y: &[u64]) -> Files {
        let made = Made::new();
        let mut files =
            Files { private_at: made.member("file", "private_data"), planted: Planted::default(), made };
        let of = |structure: &str, member: &str| files.made.member(structure, member);
        let (files_at, fdt_at, fd_at, count_at) = (
            of("task_struct", "files"),
            of("files_struct", "fdt"),
            of("fdtable", "fd"),
            of("eventfd_ctx", "count"),
        );
        files.made.put(0x70_0000 + files_at, 0x71_0000);
        files.made.put(0x71_0000 + fdt_at, 0x72_0000);
        files.made.put_half(0x72_0000, 256);
        files.made.put(0x72_0000 + fd_at, 0x73_0000);
        for (fd, count) in x.iter().chain(y).enumerate() {
            let (file, context) = (files.file(fd as u64), 0x76_0000 + fd as u64 * 64);
            files.made.put(0x73_0000 + fd as u64 * 8, file);
            files.made.put(file + files.private_at, context);
            files.made.put(context + count_at, *count);
        }
        let all = (x.len() + y.len()) as u64;
        files.planted =
            Planted { pid: 7, x: (0..x.len() as u64).collect(), y: (x.len() as u64..all).collect() };
        files
    }

    pub fn file(&self, fd: u64) -> u64 {
        0x74_0000 + fd * 64
    }

    pub fn census(&self) -> Census {
        Census { tasks: vec![Task { vaddr: 0x70_0000, pid: 7, ..Task::default() }], leaders: Vec::new() }
    }
}
