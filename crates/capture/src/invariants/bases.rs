//! Where in an image to begin: the addresses of a few variables, and what some of them hold.

use lkd_kernel::symbols::Symbols;

use super::{Image, Lacking};

/// Most CPUs that are believed.
const MOST_CPUS: u32 = 8192;
/// Most page frames that are believed: 64 TB.
const MOST_FRAMES: u64 = 1 << 34;

/// Variables of the kernel, by address. Those that a kernel may lack are options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bases {
    /// The first task, from which all others hang.
    pub init_task: u64,
    /// The namespace in which every task has a number.
    pub init_pid_ns: u64,
    /// The list of slab caches.
    pub slab_caches: u64,
    /// The lock under which links between tasks change.
    pub tasklist_lock: u64,
    /// The lock under which numbers are given and taken.
    pub pidmap_lock: u64,
    /// The owner of the mutex under which caches come and go.
    pub slab_mutex: u64,
    /// How many tasks there are, where the kernel keeps count.
    pub nr_threads: Option<u64>,
    /// Where direct map, `struct page`s and each CPU's variables begin.
    pub page_offset: u64,
    /// The first `struct page`.
    pub vmemmap: u64,
    /// The frame behind the last one.
    pub end_pfn: u64,
    /// What to add to a per-CPU address, by CPU.
    pub per_cpu: Vec<u64>,
    /// Nodes of memory.
    pub nodes: u32,
    /// Per-CPU: the run queue.
    pub run_queues: Option<u64>,
    /// Per-CPU: the stack of interrupts.
    pub irq_stacks: Option<u64>,
    /// KFENCE's objects, which only look like slabs: the first address, or 0.
    pub kfence_pool: u64,
    /// Page tables have five levels.
    pub five_levels: bool,
    /// What CPUs had in their registers, in no order. A CPU that was stopped by an interrupt has them on its stack; one that was
    /// paused from outside, or could not be stopped, has not.
    pub registers: Vec<u64>,
}

impl Bases {
    /// Finds all by the kernel's symbols, which must be those of the boot that the image shows.
    ///
    /// # Errors
    /// A symbol, or a variable's value, is not there.
    pub fn find(symbols: &Symbols, image: &dyn Image) -> Result<Bases, Lacking> {
        let maybe = |name: &str| symbols.by_name(name).map(|symbol| symbol.addr);
        let address = |name: &str| maybe(name).ok_or_else(|| Lacking(format!("symbol {name}")));
        let read = |at: u64| {
            let mut bytes = [0; 8];
            image.read(at, &mut bytes).then(|| u64::from_le_bytes(bytes))
        };
        let value =
            |name: &str| read(address(name)?).ok_or_else(|| Lacking(format!("value of {name} in its image")));
        let small = |name: &str| value(name).map(|value| value as u32);
        let cpus = small("nr_cpu_ids")?.min(MOST_CPUS);
        let offsets = address("__per_cpu_offset")?;
        let per_cpu = (0..u64::from(cpus))
            .map(|cpu| read(offsets + cpu * 8).ok_or_else(|| Lacking("__per_cpu_offset".into())))
            .collect::<Result<Vec<u64>, Lacking>>()?;
        Ok(Bases {
            init_task: address("init_task")?,
            init_pid_ns: address("init_pid_ns")?,
            slab_caches: address("slab_caches")?,
            tasklist_lock: address("tasklist_lock")?,
            pidmap_lock: address("pidmap_lock")?,
            slab_mutex: address("slab_mutex")?,
            nr_threads: maybe("nr_threads"),
            page_offset: value("page_offset_base")?,
            vmemmap: value("vmemmap_base")?,
            end_pfn: value("max_pfn")?.min(MOST_FRAMES),
            per_cpu,
            nodes: maybe("nr_node_ids").map_or(Ok(1), |_| small("nr_node_ids"))?.clamp(1, 1024),
            run_queues: maybe("runqueues"),
            irq_stacks: maybe("irq_stack_backing_store"),
            kfence_pool: maybe("__kfence_pool").and_then(read).unwrap_or(0),
            five_levels: maybe("__pgtable_l5_enabled").and_then(read).is_some_and(|word| word as u32 == 1),
            registers: Vec::new(),
        })
    }
}

/// The registers of a CPU that may hold an object's address; zeros are what is not known.
pub fn held(regs: &lkd_dump::Regs) -> impl Iterator<Item = u64> + use<> {
    let saved =
        [regs.r15, regs.r14, regs.r13, regs.r12, regs.rbp, regs.rbx, regs.r11, regs.r10, regs.r9, regs.r8];
    let passed = [regs.rax, regs.rcx, regs.rdx, regs.rsi, regs.rdi];
    saved.into_iter().chain(passed).filter(|word| *word != 0)
}
